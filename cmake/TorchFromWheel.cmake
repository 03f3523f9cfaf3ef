# TorchConfig.cmake of a LibTorch that scripts/torch-wheel.sh took out of PyPI's wheel.
# The wheel's own asks for a whole CUDA toolkit; on CPU two libraries are enough.
get_filename_component(_torch "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(TORCH_INCLUDE_DIRS "${_torch}/headers" "${_torch}/headers/torch/csrc/api/include")
add_library(torch_from_wheel INTERFACE IMPORTED)
target_compile_definitions(torch_from_wheel INTERFACE _GLIBCXX_USE_CXX11_ABI=1)
# The libraries name each other without a path.
target_link_options(torch_from_wheel INTERFACE "LINKER:-rpath,${_torch}/lib"
                    "LINKER:--disable-new-dtags" "LINKER:-rpath-link,${_torch}/lib")
target_link_libraries(torch_from_wheel INTERFACE "${_torch}/lib/libtorch_cpu.so"
                      "${_torch}/lib/libc10.so")
set(TORCH_LIBRARIES torch_from_wheel)
set(Torch_FOUND TRUE)
