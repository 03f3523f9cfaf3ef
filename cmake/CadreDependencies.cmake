# The packages Cadre is given. Each room links the narrowest target it needs.

find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(civetweb CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Torch REQUIRED)

# What find_package(Torch) says differs between Debian's 1.13 and the wheel's 2.x;
# the rooms see one target.
add_library(cadre_torch INTERFACE)
target_link_libraries(cadre_torch INTERFACE ${TORCH_LIBRARIES})
# gRPC asks for it, and a precompiled header serves only those with the same flags.
target_compile_options(cadre_torch INTERFACE -pthread)
target_include_directories(cadre_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
message(STATUS "Cadre: LibTorch ${Torch_VERSION}")
