# SPDX-License-Identifier: Apache-2.0
moor_test(unit/controlplane/engine/beats_test.c USES engine authz crypto store run posix)
moor_test(unit/controlplane/engine/package_test.c USES engine authz crypto store run posix)
moor_test(unit/controlplane/engine/placement_test.c USES engine authz crypto store run posix)
moor_test(unit/controlplane/engine/onboard_test.c USES engine authz crypto store run posix)
moor_test(unit/controlplane/engine/kql_test.c USES engine authz crypto store run posix)
moor_test(unit/controlplane/engine/live_test.c USES engine authz crypto store run posix)
moor_test(unit/controlplane/engine/proof_test.c USES engine authz crypto store run posix)
moor_test(unit/controlplane/engine/desired_test.c USES engine authz crypto store run posix)
moor_test(unit/controlplane/api/range_test.c USES api engine authz store http run crypto posix)
moor_test(unit/controlplane/store/store_test.c USES store base posix)
moor_test(unit/controlplane/authz/device_test.c USES authz store crypto base posix)
moor_test(unit/controlplane/authz/rights_test.c USES authz store crypto base posix)
moor_test(unit/controlplane/authz/signin_test.c USES authz store crypto base posix)
moor_test(unit/controlplane/api/rules_test.c
    USES api engine authz store http run crypto base posix)
foreach(area routes extensions run_commands)
    moor_test(unit/controlplane/api/${area}_test.c
        SOURCES ${PROJECT_SOURCE_DIR}/tests/unit/controlplane/api/fixture.c
        USES api engine authz store http run crypto base posix)
endforeach()
moor_test(unit/controlplane/engine/ingest_test.c USES engine authz crypto store run posix
    LIBRARIES ZLIB::ZLIB)
