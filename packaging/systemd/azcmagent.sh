# SPDX-License-Identifier: Apache-2.0
# Where Azure's SDKs find the machine's identity.
export IDENTITY_ENDPOINT=http://localhost:40342/metadata/identity/oauth2/token
export IMDS_ENDPOINT=http://localhost:40342
