# SPDX-License-Identifier: Apache-2.0
# Compiler and linker flags, kept in one INTERFACE target that every folder links PRIVATE.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_LINK_DEPENDS_NO_SHARED ON)

include(CheckPIESupported)
check_pie_supported()

add_library(moor_flags INTERFACE)

target_compile_options(moor_flags INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
    -Wold-style-definition -Wpointer-arith -Wwrite-strings -Wcast-qual -Wundef -Wvla
    -Wformat=2 -Wimplicit-fallthrough -Wswitch-enum
    -Werror=format-security -Werror=implicit-function-declaration
    -Werror=incompatible-pointer-types -Werror=int-conversion
    $<$<C_COMPILER_ID:GNU>:-Wjump-misses-init>
    $<$<C_COMPILER_ID:GNU>:-Wlogical-op>
    $<$<C_COMPILER_ID:GNU>:-Wduplicated-cond>
    $<$<BOOL:${MOOR_WERROR}>:-Werror>)

# One source path in every binary, whatever the build directory is called.
target_compile_options(moor_flags INTERFACE "-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=")

if(MOOR_SANITIZE)
    target_compile_options(moor_flags INTERFACE
        -fsanitize=${MOOR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(moor_flags INTERFACE -fsanitize=${MOOR_SANITIZE})
elseif(MOOR_HARDEN)
    target_compile_options(moor_flags INTERFACE
        $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
        $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=$<IF:$<C_COMPILER_ID:GNU>,3,2>>
        -fstack-protector-strong -fstack-clash-protection)
    target_link_options(moor_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
target_link_options(moor_flags INTERFACE -Wl,--as-needed)

if(MOOR_TIDY)
    find_program(MOOR_CLANG_TIDY clang-tidy REQUIRED)
    set(CMAKE_C_CLANG_TIDY "${MOOR_CLANG_TIDY};--quiet")
endif()
