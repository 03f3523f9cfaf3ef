# A LibTorch with CUDA, as PyTorch's wheel or its LibTorch archive has it:
#   -DTorch_DIR=<here> -DCADRE_TORCH=<folder with include/ and lib/>
# Their own configuration asks for a whole CUDA toolkit and a compiler for kernels, of which
# Cadre has none: it needs the headers and the library of the CUDA runtime, which are looked
# for beside the wheel (pip's nvidia packages; the headers need nvidia-cuda-crt too), in
# $CUDA_HOME, in /usr/local/cuda and where nvcc is.
if(NOT EXISTS "${CADRE_TORCH}/lib/libtorch_cuda.so")
  set(Torch_FOUND FALSE)
  set(Torch_NOT_FOUND_MESSAGE
      "CADRE_TORCH is '${CADRE_TORCH}'; wanted a folder with lib/libtorch_cuda.so")
  return()
endif()
get_filename_component(_torch "${CADRE_TORCH}" REALPATH)

file(GLOB _cuda_roots "${_torch}/../nvidia/cu[0-9]*" "${_torch}/../nvidia/cuda_runtime")
list(APPEND _cuda_roots "$ENV{CUDA_HOME}" /usr/local/cuda /usr/local/cuda/targets/x86_64-linux)
find_program(CADRE_NVCC nvcc)
if(CADRE_NVCC)
  get_filename_component(_nvcc "${CADRE_NVCC}" REALPATH)
  get_filename_component(_nvcc_root "${_nvcc}" DIRECTORY)
  get_filename_component(_nvcc_root "${_nvcc_root}" DIRECTORY)
  list(APPEND _cuda_roots "${_nvcc_root}" "${_nvcc_root}/targets/x86_64-linux")
endif()
# Those folders that have all of the headers.
find_path(CADRE_CUDA_INCLUDE crt/host_config.h PATHS ${_cuda_roots} PATH_SUFFIXES include
          NO_DEFAULT_PATH)
set(CADRE_CUDART "" CACHE FILEPATH "The CUDA runtime, libcudart.so*")
if(NOT CADRE_CUDART)
  foreach(_root IN LISTS _cuda_roots)
    file(GLOB _found "${_root}/lib/libcudart.so*" "${_root}/lib64/libcudart.so*")
    if(_found)
      list(GET _found 0 CADRE_CUDART)
      break()
    endif()
  endforeach()
endif()
if(NOT CADRE_CUDA_INCLUDE OR NOT EXISTS "${CADRE_CUDA_INCLUDE}/cuda_runtime_api.h" OR NOT CADRE_CUDART)
  set(Torch_FOUND FALSE)
  set(Torch_NOT_FOUND_MESSAGE "no cuda_runtime_api.h, crt/host_config.h or libcudart.so in: ${_cuda_roots}; install "
      "pip's cuda-toolkit[crt,cccl], or set CUDA_HOME, or CADRE_CUDA_INCLUDE and CADRE_CUDART")
  return()
endif()

# A toolkit's headers beside another version's library would compile, and fail when run.
file(STRINGS "${CADRE_CUDA_INCLUDE}/cuda_runtime_api.h" _version
     REGEX "^#define CUDART_VERSION +[0-9]+")
string(REGEX REPLACE "^.* ([0-9]+)[0-9][0-9][0-9]$" "\\1" _version "${_version}")
if(CADRE_CUDART MATCHES "\\.so\\.([0-9]+)" AND NOT CMAKE_MATCH_1 EQUAL _version)
  set(Torch_FOUND FALSE)
  set(Torch_NOT_FOUND_MESSAGE "${CADRE_CUDA_INCLUDE} is of CUDA ${_version}, ${CADRE_CUDART} is "
      "not; set CUDA_HOME, or CADRE_CUDA_INCLUDE and CADRE_CUDART, to those of one version")
  return()
endif()

# Not the other libraries' headers that the wheel brings (fmt, protobuf, ...): they would
# stand before those that the rest is built with.
set(_headers "${CMAKE_BINARY_DIR}/torch_headers")
file(MAKE_DIRECTORY "${_headers}")
foreach(_name ATen c10 caffe2 torch)
  if(EXISTS "${_torch}/include/${_name}")
    file(CREATE_LINK "${_torch}/include/${_name}" "${_headers}/${_name}" SYMBOLIC)
  endif()
endforeach()
set(TORCH_INCLUDE_DIRS "${_headers}" "${_headers}/torch/csrc/api/include" "${CADRE_CUDA_INCLUDE}")
# For learners on several GPUs; c10d's headers name it.
find_path(CADRE_NCCL_INCLUDE nccl.h PATHS "${_torch}/../nvidia/nccl/include" ${_cuda_roots}
          PATH_SUFFIXES include)
if(CADRE_NCCL_INCLUDE)
  list(APPEND TORCH_INCLUDE_DIRS "${CADRE_NCCL_INCLUDE}")
endif()

set(C10_CUDA_LIBRARY "${_torch}/lib/libc10_cuda.so")  # How others see that there is CUDA.
get_filename_component(_cudart_folder "${CADRE_CUDART}" DIRECTORY)
add_library(torch_with_cuda INTERFACE IMPORTED)
target_compile_definitions(torch_with_cuda INTERFACE _GLIBCXX_USE_CXX11_ABI=1)
# The libraries name each other without a path, and CUDA's part of LibTorch registers itself
# when it is loaded, which nothing else asks for.
target_link_options(torch_with_cuda INTERFACE
                    "LINKER:-rpath,${_torch}/lib" "LINKER:-rpath,${_cudart_folder}"
                    "LINKER:--disable-new-dtags" "LINKER:--allow-shlib-undefined")
target_link_libraries(torch_with_cuda INTERFACE
                      -Wl,--no-as-needed "${_torch}/lib/libtorch_cuda.so" -Wl,--as-needed
                      "${_torch}/lib/libtorch_cpu.so" "${_torch}/lib/libc10_cuda.so"
                      "${_torch}/lib/libc10.so" "${CADRE_CUDART}")
set(TORCH_LIBRARIES torch_with_cuda)
set(Torch_FOUND TRUE)
set(Torch_VERSION "with CUDA, in ${_torch}")
