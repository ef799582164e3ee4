# SPDX-License-Identifier: Apache-2.0
# Unit tests of extensions/, one line each, by room.
moor_test(unit/extensions/contract/contract_test.c USES contract)
moor_test(unit/extensions/builtin/customscript_settings_test.c USES customscript builtin crypto base posix LIBRARIES ZLIB::ZLIB)
moor_test(unit/extensions/builtin/runcommand_settings_test.c USES runcommand base posix)
foreach(name plan repair report)
    moor_test(unit/extensions/manager/${name}_test.c USES manager core contract crypto http run posix)
endforeach()
# These touch files, in a root of their own.
foreach(name item package rules run settle)
    moor_test(unit/extensions/manager/${name}_test.c
        USES manager core contract crypto http fakes run posix)
    set(root "${CMAKE_BINARY_DIR}/tests/root.extensions.${name}")
    file(MAKE_DIRECTORY "${root}")
    set_tests_properties(unit.extensions.manager.${name} PROPERTIES
        ENVIRONMENT "MOORING_ROOT=${root}")
endforeach()
moor_test(unit/extensions/manager/record_test.c
    USES disk manager core contract crypto http fakes run posix)
set(root "${CMAKE_BINARY_DIR}/tests/root.extensions.record")
file(MAKE_DIRECTORY "${root}")
set_tests_properties(unit.extensions.manager.record PROPERTIES ENVIRONMENT "MOORING_ROOT=${root}")
# The whole manager on a pretended disk; only the folders that are watched are real. A quarter of a
# minute long, so not among those that run at every turn.
moor_test(unit/extensions/manager/powercut_test.c LABEL contract
    USES disk manager core contract crypto http fakes run posix)
set(root "${CMAKE_BINARY_DIR}/tests/root.extensions.powercut")
file(MAKE_DIRECTORY "${root}/var/opt/azcmagent" "${root}/var/lib/GuestConfig/manager/removals"
    "${root}/var/lib/GuestConfig/manager/repairs")
set_tests_properties(unit.extensions.manager.powercut PROPERTIES
    ENVIRONMENT "MOORING_ROOT=${root}" TIMEOUT 600)
