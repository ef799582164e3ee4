# SPDX-License-Identifier: Apache-2.0
# Agent and control plane in one program, on virtual time, for a year and more.
set(here ${PROJECT_SOURCE_DIR}/tests/unit/lifetime)
moor_test(unit/lifetime/lifetime_test.c
    SOURCES ${here}/world.c ${here}/node.c ${here}/plane.c ${here}/fake_dirs.c ${here}/fake_pool.c
    LABEL simulation
    USES identity core api engine authz store http fakes run crypto posix)
# The hardware of a machine is the test's to say.
target_link_options(test_unit_lifetime_lifetime PRIVATE "LINKER:--wrap=plat_host_read")
set_tests_properties(unit.lifetime.lifetime PROPERTIES TIMEOUT 300)
# The period of a real control plane, which takes minutes.
add_test(NAME unit.lifetime.full COMMAND test_unit_lifetime_lifetime 300)
set_tests_properties(unit.lifetime.full PROPERTIES LABELS full TIMEOUT 1200)
