# MuJoCo and the models of its tasks, out of PyPI's mujoco and gymnasium packages. The
# environments of envs/mujoco are built in if all three are there: headers, library and models.
#   CADRE_MUJOCO_ROOT  a virtual environment that has both packages
# Sets CADRE_MUJOCO, the target cadre_mujoco, and CADRE_MUJOCO_MODELS, the folder of the models.

set(CADRE_MUJOCO_ROOT "${CMAKE_SOURCE_DIR}/.venv" CACHE PATH
    "Virtual environment with mujoco and gymnasium (scripts/install-deps.sh --mujoco)")

# Nothing is cached: what was installed or removed since counts.
file(GLOB _mujoco_library "${CADRE_MUJOCO_ROOT}/lib/python3*/site-packages/mujoco/libmujoco.so.*")
file(GLOB _mujoco_header "${CADRE_MUJOCO_ROOT}/lib/python3*/site-packages/mujoco/include/mujoco/mujoco.h")
file(GLOB _mujoco_model
     "${CADRE_MUJOCO_ROOT}/lib/python3*/site-packages/gymnasium/envs/mujoco/assets/half_cheetah.xml")
list(LENGTH _mujoco_library _libraries)
if(_libraries EQUAL 1 AND _mujoco_header AND _mujoco_model)
  set(CADRE_MUJOCO ON)
  cmake_path(GET _mujoco_header PARENT_PATH _mujoco_include)
  cmake_path(GET _mujoco_include PARENT_PATH _mujoco_include)
  cmake_path(GET _mujoco_library PARENT_PATH _mujoco_folder)
  cmake_path(GET _mujoco_model PARENT_PATH _mujoco_models)
  add_library(cadre_mujoco INTERFACE)
  target_include_directories(cadre_mujoco SYSTEM INTERFACE "${_mujoco_include}")
  target_link_libraries(cadre_mujoco INTERFACE "${_mujoco_library}")
  set(CADRE_MUJOCO_MODELS "${_mujoco_models}")
  # Also for what is installed elsewhere: the library stays where pip has put it.
  target_link_options(cadre_mujoco INTERFACE "LINKER:-rpath,${_mujoco_folder}")
  message(STATUS "Cadre: MuJoCo: ${_mujoco_library}")
else()
  set(CADRE_MUJOCO OFF)
  message(STATUS "Cadre: MuJoCo: not found in ${CADRE_MUJOCO_ROOT}")
endif()
