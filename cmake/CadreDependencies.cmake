# The packages Cadre is given. Each room links the narrowest target it needs.

# For scripts/gpu-check.sh, on machines that have little: the algorithms with what they
# include, their test on a device and their benchmark, which need no gRPC, logs or metrics.
option(CADRE_ALGORITHMS_ONLY "Build the algorithms alone" OFF)

macro(cadre_find_unless_algorithms_only)
  if(NOT CADRE_ALGORITHMS_ONLY)
    find_package(${ARGN})
  endif()
endmacro()

find_package(Threads REQUIRED)
cadre_find_unless_algorithms_only(ZLIB REQUIRED)
find_package(Protobuf REQUIRED)
cadre_find_unless_algorithms_only(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
cadre_find_unless_algorithms_only(prometheus-cpp CONFIG REQUIRED)
cadre_find_unless_algorithms_only(civetweb CONFIG REQUIRED)
cadre_find_unless_algorithms_only(spdlog CONFIG REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Torch REQUIRED)

# Box2D 2.3, which Gymnasium steps, from the sources that scripts/box2d-2.3.sh fetched, or else
# the distribution's 2.4, with which LunarLander and BipedalWalker differ (envs/README.md).
set(CADRE_BOX2D AUTO CACHE STRING
    "What scripts/box2d-2.3.sh made; AUTO: where it puts that; empty: the distribution's Box2D")
if(CADRE_BOX2D STREQUAL "AUTO")
  # Looked for each time: it may be fetched after the first build.
  set(CADRE_BOX2D "$ENV{HOME}/.local/share/cadre/box2d-2.3")
  if(NOT EXISTS "${CADRE_BOX2D}/Box2D/Box2D.h")
    set(CADRE_BOX2D "")
  endif()
endif()
if(CADRE_BOX2D)
  file(GLOB_RECURSE CADRE_BOX2D_SOURCES "${CADRE_BOX2D}/Box2D/*.cpp")
  if(NOT CADRE_BOX2D_SOURCES)
    message(FATAL_ERROR "CADRE_BOX2D is '${CADRE_BOX2D}', without Box2D/*.cpp; wanted a folder "
                        "that scripts/box2d-2.3.sh made")
  endif()
  add_library(cadre_box2d STATIC EXCLUDE_FROM_ALL ${CADRE_BOX2D_SOURCES})
  target_include_directories(cadre_box2d SYSTEM PUBLIC "${CADRE_BOX2D}")
  target_compile_options(cadre_box2d PRIVATE -w -ffp-contract=off)
  message(STATUS "Cadre: Box2D 2.3 of ${CADRE_BOX2D}")
else()
  cadre_find_unless_algorithms_only(box2d CONFIG REQUIRED)
  add_library(cadre_box2d INTERFACE)
  target_link_libraries(cadre_box2d INTERFACE $<TARGET_NAME_IF_EXISTS:box2d::box2d>)
  message(STATUS "Cadre: Box2D of the distribution; scripts/box2d-2.3.sh fetches Gymnasium's")
endif()

# What find_package(Torch) says differs between Debian's 1.13 and the wheel's 2.x;
# the rooms see one target.
add_library(cadre_torch INTERFACE)
target_link_libraries(cadre_torch INTERFACE ${TORCH_LIBRARIES})
# gRPC asks for it, and a precompiled header serves only those with the same flags.
target_compile_options(cadre_torch INTERFACE -pthread)
target_include_directories(cadre_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
# CUDA devices can be used where LibTorch can.
if(C10_CUDA_LIBRARY)
  set(CADRE_CUDA ON)
else()
  set(CADRE_CUDA OFF)
endif()
message(STATUS "Cadre: LibTorch ${Torch_VERSION}; CUDA: ${CADRE_CUDA}")
