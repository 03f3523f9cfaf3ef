# Compiler, linker and sanitizer settings, and cadre_library() / cadre_binary().

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

# Assertions of ours are CADRE_CHECK, in every build type.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")

find_program(CADRE_CCACHE ccache)
if(CADRE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Precompiled headers carry time stamps; without this ccache never hits.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${CADRE_CCACHE})
endif()
find_program(CADRE_MOLD mold)
set(CADRE_SANITIZER "" CACHE STRING "address (with undefined) or thread")
if(CADRE_MOLD AND NOT CADRE_SANITIZER)
  add_link_options(-fuse-ld=mold)
endif()

if(CADRE_SANITIZER STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(CADRE_SANITIZER STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
elseif(CADRE_SANITIZER)
  message(FATAL_ERROR "CADRE_SANITIZER is '${CADRE_SANITIZER}'; wanted address or thread")
endif()

add_library(cadre_warnings INTERFACE)
target_compile_options(cadre_warnings INTERFACE -Wall -Wextra -Werror=return-type
                       -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(cadre_warnings INTERFACE -Werror=thread-safety)
endif()

# cadre_library(NAME SOURCES ... [PUBLIC ...] [PRIVATE ...]): libcadre_NAME.a, cadre::NAME.
function(cadre_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(cadre_${name} STATIC ${ARG_SOURCES})
  add_library(cadre::${name} ALIAS cadre_${name})
  target_include_directories(cadre_${name} PUBLIC "${CMAKE_SOURCE_DIR}")
  target_link_libraries(cadre_${name} PUBLIC ${ARG_PUBLIC} PRIVATE cadre_warnings ${ARG_PRIVATE})
endfunction()

# cadre_binary(NAME SOURCES ... LINK ...): build/bin/NAME.
function(cadre_binary name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE cadre_warnings ${ARG_LINK})
  cadre_explain_abseil_to_tsan(${name})
endfunction()

# ThreadSanitizer must be told what the distribution's Abseil does; see the file.
function(cadre_explain_abseil_to_tsan executable)
  if(CADRE_SANITIZER STREQUAL "thread")
    target_sources(${executable} PRIVATE "${CMAKE_SOURCE_DIR}/cmake/tsan_abseil.cc")
    target_link_libraries(${executable} PRIVATE absl::synchronization ${CMAKE_DL_LIBS})
  endif()
endfunction()
