#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes this machine a connected one: looks whether it can be, installs the agent, connects it. As
# root; run again it finds that all is done. A control plane gives it with its own settings filled
# in (GET {his}/onboard/linux); what is an option on the command line wins. docs/guide/onboarding.md
set -u

# Filled in by a control plane. packages: a line each, "format architecture version sha256 name".
#@settings
endpoint=''
cloud=''
ca=''
tenant_id=''
subscription_id=''
resource_group=''
location=''
service_principal_id=''
tags=''
correlation_id=''
packages=''
#@end

resource_name=
secret_file=
ca_file=
package=
sha256=
from_repository=
install_only=
dry_run=
quiet_to_service=
lock_wait=300
disk_kib=65536
skew_max=300
work=

usage() {
    cat <<'TEXT'
usage: onboard.sh [options] [-- options of mooring ensure-connected]
  --endpoint URL                control plane
  --cloud NAME                  name under which this machine knows it
  --ca-file FILE                its CA, PEM; without one the system's CAs count
  --tenant-id ID, --subscription-id ID, --resource-group NAME, --location NAME
  --resource-name NAME          default: the host name
  --tags A=B,C=D
  --correlation-id ID
  --service-principal-id ID     who connects
  --service-principal-secret-file FILE
                                its secret; - is standard input
  --package FILE                install this one and download nothing
  --sha256 HEX                  what the file of --package must have, when the script does not know
  --repository                  install it with the package manager from a configured repository
  --install-only                do not connect: for images that are copied
  --lock-wait SECONDS           for another run of the package manager; default 300
  --no-report                   tell the control plane of no failure
  --dry-run                     look, say what would be done, change nothing
  -h, --help
TEXT
}

say() {
    printf 'onboard: %s\n' "$*" >&2
}

# JSON's letters only, and never what a program printed: that may hold anything.
report() {
    [ -n "$endpoint" ] && [ -z "$quiet_to_service" ] && [ -z "$dry_run" ] || return 0
    command -v curl >/dev/null 2>&1 || return 0
    message=$(printf '%s' "$2" | tr -c 'A-Za-z0-9 .,:/_-' '_' | cut -c1-500)
    fetch -o /dev/null --max-time 10 -X PUT -H 'Content-Type: application/json' --data-binary @- \
        "$endpoint/his/log" <<JSON 2>/dev/null || true
{"subscriptionId":"$subscription_id","resourceGroup":"$resource_group","tenantId":"$tenant_id","location":"$location","correlationId":"$correlation_id","operation":"onboarding","osType":"linux","messageType":"$1","message":"$message"}
JSON
}

# fail STATUS MESSAGE: the statuses are those of azcmagent's installer and of mooring itself.
fail() {
    status=$1
    shift
    say "$*"
    report "$status" "$*"
    exit "$status"
}

fetch() {
    if [ -n "$ca_file" ]; then
        curl --fail --silent --show-error --proto '=https' --cacert "$ca_file" "$@"
    else
        curl --fail --silent --show-error --proto '=https' "$@"
    fi
}

value_of() {
    [ $# -ge 2 ] || { say "$1 needs a value"; exit 16; }
    printf '%s' "$2"
}

# ---- what is asked ----
read_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --endpoint) endpoint=$(value_of "$@") ;;
        --cloud) cloud=$(value_of "$@") ;;
        --ca-file) ca_file=$(value_of "$@") ;;
        --tenant-id) tenant_id=$(value_of "$@") ;;
        --subscription-id) subscription_id=$(value_of "$@") ;;
        --resource-group) resource_group=$(value_of "$@") ;;
        --location) location=$(value_of "$@") ;;
        --resource-name) resource_name=$(value_of "$@") ;;
        --tags) tags=$(value_of "$@") ;;
        --correlation-id) correlation_id=$(value_of "$@") ;;
        --service-principal-id) service_principal_id=$(value_of "$@") ;;
        --service-principal-secret-file) secret_file=$(value_of "$@") ;;
        --package) package=$(value_of "$@") ;;
        --sha256) sha256=$(value_of "$@") ;;
        --lock-wait) lock_wait=$(value_of "$@") ;;
        --repository) from_repository=1 && set -- "" "$@" ;;
        --install-only) install_only=1 && set -- "" "$@" ;;
        --no-report) quiet_to_service=1 && set -- "" "$@" ;;
        --dry-run) dry_run=1 && set -- "" "$@" ;;
        -h | --help) usage && exit 0 ;;
        --) return 0 ;;
        *) usage >&2 && say "unknown option: $1" && exit 23 ;;
        esac || exit $?
        shift 2
    done
}

need_options() {
    case $lock_wait in '' | *[!0-9]*) fail 23 "--lock-wait: want seconds" ;; esac
    [ -z "$install_only" ] || return 0
    for name in endpoint cloud tenant_id subscription_id resource_group location; do
        eval "value=\$$name"
        # shellcheck disable=SC2154 # eval sets it
        [ -n "$value" ] || fail 16 "--$(printf '%s' "$name" | tr _ -): is missing"
    done
    [ -z "$secret_file" ] || [ "$secret_file" = - ] || [ -r "$secret_file" ] ||
        fail 23 "--service-principal-secret-file: $secret_file cannot be read"
}

# ---- whether this machine can be one ----
check_root() {
    [ "$(id -u)" = 0 ] || fail 18 "must be run by root: sudo sh $0"
}

check_systemd() {
    { command -v systemctl && [ -d /run/systemd/system ]; } >/dev/null 2>&1 ||
        fail 130 "systemd is not this machine's first process: the agent's services need it"
}

# at_least VERSION MINIMUM, both of numbers and points
at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

check_distribution() {
    [ -r /etc/os-release ] || fail 131 "/etc/os-release is missing: which distribution is this?"
    # shellcheck disable=SC1091 # the machine's own
    . /etc/os-release
    for id in "${ID:-}" ${ID_LIKE:-}; do
        case $id in
        debian) format=deb oldest=12 ;;
        ubuntu) format=deb oldest=22.04 ;;
        rhel | centos | rocky | almalinux | ol) format=rpm oldest=9 ;;
        sles | opensuse-leap | suse) format=rpm oldest=15.6 ;;
        *) continue ;;
        esac
        # What is only like it counts versions in another way.
        [ "$id" != "${ID:-}" ] || at_least "${VERSION_ID:-999}" "$oldest" ||
            fail 133 "${PRETTY_NAME:-$id}: too old; $id $oldest or later is supported"
        return 0
    done
    fail 131 "${PRETTY_NAME:-${ID:-this system}}: no package for it; docs/guide/supported.md"
}

check_architecture() {
    case $(uname -m) in
    x86_64) architecture=amd64 ;;
    aarch64) architecture=arm64 ;;
    *) fail 132 "$(uname -m): amd64 and arm64 are supported" ;;
    esac
}

check_azure() {
    tag=$(cat /sys/class/dmi/id/chassis_asset_tag 2>/dev/null)
    [ "$tag" != 7783-7084-3265-9085-8269-3286-77 ] || [ "${MSFT_ARC_TEST:-}" = true ] ||
        fail 141 "this is an Azure virtual machine, which Azure manages already; for tests: MSFT_ARC_TEST=true"
}

check_other_agent() {
    [ ! -e /opt/azcmagent/bin/azcmagent_executable ] ||
        fail 27 "Azure's own agent is installed in /opt/azcmagent: disconnect and remove it first"
}

check_disk() {
    for folder in /usr /var; do
        free=$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')
        [ "${free:-0}" -ge "$disk_kib" ] ||
            fail 158 "$folder: ${free:-0} KiB are free, want $disk_kib"
    done
}

check_noexec() {
    for folder in /var/lib/waagent /var/lib /var /; do
        [ -d "$folder" ] || continue
        options=$(findmnt -n -o OPTIONS -T "$folder" 2>/dev/null || true)
        case ",$options," in
        *,noexec,*) say "warning: $folder is mounted noexec: extensions will not run" ;;
        esac
        return 0
    done
}

# A clock that is wrong makes each token worthless, and says so nowhere.
check_time() {
    [ -n "$endpoint" ] && command -v curl >/dev/null 2>&1 || return 0
    there=$(fetch --max-time 30 -o /dev/null -D - "$endpoint/metadata/endpoints?api-version=2022-09-01") ||
        fail 26 "$endpoint cannot be reached: the line above says why"
    there=$(printf '%s' "$there" | tr -d '\r' | sed -n 's/^[Dd]ate: //p' | head -n 1)
    there=$(date -d "$there" +%s 2>/dev/null) || return 0
    skew=$(($(date +%s) - there))
    [ "${skew#-}" -le "$skew_max" ] ||
        fail 150 "the clock is $skew seconds off the control plane's: set it (timedatectl set-ntp true)"
}

# ---- the package ----
installed_version() {
    case $format in
    deb) dpkg-query -W -f '${db:Status-Status} ${Version}' mooring 2>/dev/null | sed -n 's/^installed //p' ;;
    rpm) rpm -q --qf '%{VERSION}' mooring 2>/dev/null | grep '^[0-9]' ;;
    esac
}

# The newest package for this machine that the script knows of; empty: none.
choose_package() {
    read -r wanted_version wanted_sha256 wanted_name <<ROW || true
$(printf '%s\n' "$packages" | awk -v f="$format" -v a="$architecture" '$1 == f && $2 == a { print $3, $4, $5 }' |
        sort -V | tail -n 1)
ROW
}

known_digest() { # NAME
    printf '%s\n' "$packages" | awk -v n="$1" '$5 == n { print $4 }'
}

check_digest() { # FILE HEX
    [ "$(sha256sum "$1" | cut -d ' ' -f 1)" = "$(printf '%s' "$2" | tr 'A-F' 'a-f')" ] ||
        fail 171 "$1: its SHA-256 is another than $2: it is not installed"
}

# Sets file: a copy that only root writes, so that what was checked is what is installed.
take_given_package() {
    [ -f "$package" ] || fail 146 "--package: $package is no file"
    file=$work/$(basename "$package")
    cp "$package" "$file" || fail 158 "$package: cannot be copied"
    digest=${sha256:-$(known_digest "$(basename "$package")")}
    [ -n "$digest" ] || fail 171 "--package: the SHA-256 of $package is not known: give --sha256"
    check_digest "$file" "$digest"
}

download_package() {
    [ -n "$wanted_name" ] ||
        fail 147 "the control plane has no $format package for $architecture: --package or --repository"
    file=$work/$wanted_name
    say "download $wanted_name"
    fetch --retry 3 --max-time 600 -o "$file" "$endpoint/his/onboard/files/$wanted_name" ||
        fail 146 "$wanted_name: download failed: the line above says why"
    check_digest "$file" "$wanted_sha256"
}

# The package manager's words go to the terminal; of its failures only a held lock has its own status.
run_manager() {
    "$@" >"$work/manager.log" 2>&1 </dev/null && return 0
    status=$?
    cat "$work/manager.log" >&2
    [ "$status" != 7 ] || [ "$1" != zypper ] || fail 145 "another run of zypper held its lock for $lock_wait seconds"
    ! grep -qi 'could not get lock\|unable to acquire\|unable to lock' "$work/manager.log" ||
        fail 145 "another run of the package manager held its lock for $lock_wait seconds"
    fail 143 "$1: could not install $2 (status $status)"
}

install_file() {
    export DEBIAN_FRONTEND=noninteractive ZYPP_LOCK_TIMEOUT="$lock_wait"
    if [ "$format" = deb ]; then
        run_manager apt-get -q -y -o "DPkg::Lock::Timeout=$lock_wait" install "$1"
    elif command -v dnf >/dev/null 2>&1; then
        run_manager dnf -q -y --nogpgcheck install "$1"
    else
        run_manager zypper --non-interactive --no-gpg-checks install "$1"
    fi
}

install_agent() {
    have=$(installed_version)
    choose_package
    if [ -n "$have" ] && [ -z "$package" ] && at_least "$have" "${wanted_version:-0}"; then
        say "the agent is installed: $have"
    elif [ -n "$dry_run" ]; then
        say "would install the agent: ${package:-${from_repository:+from the repository}${wanted_name}}"
    elif [ -n "$from_repository" ]; then
        install_file mooring
    elif [ -n "$package" ]; then
        take_given_package
        install_file "$file"
    else
        download_package
        install_file "$file"
    fi
    now=$(installed_version)
    [ "$now" = "$have" ] || say "installed: $now"
}

# ---- the connection ----
register_cloud() {
    set -- "$cloud" "$endpoint"
    [ -z "$ca_file" ] || set -- "$@" --ca-file "$ca_file"
    mooring cloud register "$@" >/dev/null || fail $? "$endpoint: not registered: the line above says why"
}

connect() {
    set -- --cloud "$cloud" --tenant-id "$tenant_id" --subscription-id "$subscription_id" \
        --resource-group "$resource_group" --location "$location" "$@"
    [ -z "$resource_name" ] || set -- "$@" --resource-name "$resource_name"
    [ -z "$tags" ] || set -- "$@" --tags "$tags"
    [ -z "$correlation_id" ] || set -- "$@" --correlation-id "$correlation_id"
    [ -z "$service_principal_id" ] || set -- "$@" --service-principal-id "$service_principal_id"
    [ -z "$secret_file" ] || set -- "$@" --service-principal-secret-file "$secret_file"
    mooring ensure-connected "$@" || fail $? "mooring ensure-connected failed with this status: the line above says why"
}

# The script's own CA, in a file that only root writes.
write_ca() {
    [ -n "$ca" ] && [ -z "$ca_file" ] || return 0
    ca_file=$work/ca.pem
    printf '%s\n' "$ca" >"$ca_file"
}

clean_up() {
    [ -z "$work" ] || rm -rf "$work"
}

main() {
    read_options "$@"
    while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done
    [ $# -eq 0 ] || shift
    check_root
    umask 022
    trap clean_up EXIT
    trap 'exit 11' INT TERM HUP
    work=$(mktemp -d) || fail 158 "no folder for temporary files"
    write_ca
    need_options
    check_systemd
    check_distribution
    check_architecture
    check_azure
    check_other_agent
    check_disk
    check_noexec
    check_time
    install_agent
    [ -z "$install_only" ] || return 0
    if [ -n "$dry_run" ]; then
        say "would register $cloud at $endpoint, and connect in $resource_group, subscription $subscription_id"
        return 0
    fi
    register_cloud
    connect "$@"
}

main "$@"
