#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What Azure's documentation tells to type for a token, with the endpoint and audience given.
base=$1 resource=$2
url="$base/metadata/identity/oauth2/token?api-version=2019-11-01&resource=$resource"
ChallengeTokenPath=$(curl -s -D - -H Metadata:true "$url" | grep Www-Authenticate |
    cut -d "=" -f 2 | tr -d "[:cntrl:]")
if ! ChallengeToken=$(cat "$ChallengeTokenPath"); then
    echo "Could not retrieve challenge token, double check that this command is run with root privileges."
else
    curl -s -H Metadata:true -H "Authorization: Basic $ChallengeToken" "$url"
fi
