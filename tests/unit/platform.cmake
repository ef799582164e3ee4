# SPDX-License-Identifier: Apache-2.0
# Unit tests of platform/, one line each, by room.
foreach(name arena buf error json jsontab secret sha256 span text timefmt)
    moor_test(unit/platform/base/${name}_test.c USES base)
endforeach()

foreach(name bundle cert cms cms_openssl digest jws key tpm)
    moor_test(unit/platform/crypto/${name}_test.c USES crypto posix)
endforeach()
moor_test(unit/platform/crypto/jws_tpm_test.c USES crypto posix)
target_link_options(test_unit_platform_crypto_jws_tpm PRIVATE
    "LINKER:--wrap=moor_key_in_tpm" "LINKER:--wrap=moor_tpm_sign")

moor_test(unit/platform/posix/proc_test.c USES posix)

foreach(name child component loop pool)
    moor_test(unit/platform/run/${name}_test.c USES run posix)
endforeach()
foreach(name idle log simulation)
    moor_test(unit/platform/run/${name}_test.c USES fakes run posix)
endforeach()

foreach(name chunked client_server proxy request_head router target transport)
    moor_test(unit/platform/http/${name}_test.c USES http run base posix)
endforeach()
moor_test(unit/platform/http/server_tls_test.c USES fakes http contract_os posix
    LIBRARIES PkgConfig::EVENT OpenSSL::SSL)
