# Cross compilation for AArch64 with Debian's packages g++-aarch64-linux-gnu and, to run the tests, qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -R 24G -L /usr/aarch64-linux-gnu)
# For tests/programs, many and small. The emulator keeps a note of every page that is reserved: with little to reserve it is seven times as fast.
set(MALLOC_TRACER_PROGRAM_EMULATOR qemu-aarch64 -R 24G -L /usr/aarch64-linux-gnu)
