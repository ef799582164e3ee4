# SPDX-License-Identifier: Apache-2.0
# Unit tests of platform/, one line each, by room.
foreach(name arena buf error json jsontab secret sha256 span text timefmt)
    moor_test(unit/platform/base/${name}_test.c USES base)
endforeach()


foreach(name key cert)
    moor_test(unit/platform/crypto/${name}_test.c USES crypto)
endforeach()
if(TARGET moor_posix AND EXISTS "${CMAKE_SOURCE_DIR}/platform/base/json.c")
    foreach(name digest jws cms)
        moor_test(unit/platform/crypto/${name}_test.c USES crypto posix)
    endforeach()
endif()
