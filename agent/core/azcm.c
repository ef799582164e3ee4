/* SPDX-License-Identifier: Apache-2.0 */
#include "core/azcm.h"

#include "base/attr.h"

#define AS_ROOT  "run the command as root, for example with sudo"
#define SEE_LOGS "see the log: journalctl -u mooring-identity"

static const struct moor_azcm_entry entries[] = {
    { AZCM_OK, "Success", "success", "" },
    { AZCM_UNKNOWN, "Unknown", "the command failed", "" },
    { AZCM_INTERNAL, "Internal", "an internal check failed", "report it with this output" },
    { AZCM_UNSUPPORTED, "Unsupported", "this operation is not supported here", "" },
    { AZCM_LOGGER, "Logger", "the log cannot be written", "" },
    { AZCM_INIT, "Init", "the program could not start", "" },
    { AZCM_INTERRUPTED, "Interrupted", "interrupted", "" },
    { AZCM_ACCESS_TOKEN, "InvalidAccessToken", "the access token is invalid",
      "get a fresh one for the cloud's Resource Manager audience" },
    { AZCM_MISSING_PARAMETER, "MissingParameter", "a required parameter is missing",
      "see mooring help VERB" },
    { AZCM_NOT_ADMIN, "NotAdmin", "this command needs administrator rights", AS_ROOT },
    { AZCM_NO_CONFIG_FILE, "ConfigFileNotFound", "the configuration file was not found", "" },
    { AZCM_REGION, "UnknownRegion", "the location is not known to the cloud", "" },
    { AZCM_INVALID_ARGUMENT, "InvalidArgument", "an argument is invalid", "see mooring help VERB" },
    { AZCM_NETWORK, "Network", "the cloud could not be reached",
      "run mooring check to see which endpoint fails" },
    { AZCM_CONFIG_CONFLICT, "ConfigConflict", "the configuration contradicts itself", "" },
    { AZCM_NO_TOKEN, "TokenRefused", "the cloud gave no access token",
      "check tenant, client id and secret" },
    { AZCM_CREATE_RESOURCE, "CreateResourceFailed", "the resource could not be created",
      "check that the account may write machines in this resource group" },
    { AZCM_DELETE_RESOURCE, "DeleteResourceFailed", "the resource could not be deleted",
      "check that the account may delete machines, or use --force-local-only" },
    { AZCM_RESOURCE_EXISTS, "ResourceExists", "the resource exists already",
      "choose another --resource-name, or delete the resource first" },
    { AZCM_RECONNECT_KEY, "ReconnectKeyFailed", "the new public key was not accepted", "" },
    { AZCM_AGENT_TALK, "AgentCommunication", "talking to the identity service failed", SEE_LOGS },
    { AZCM_CONNECT, "ConnectFailed", "the machine could not be connected", "" },
    { AZCM_DISCONNECT, "DisconnectFailed", "the machine could not be disconnected", "" },
    { AZCM_NO_HIMDS, "IdentityServiceUnreachable", "the identity service does not answer",
      "start it: systemctl start mooring-identity" },
    { AZCM_AGENT_METADATA, "AgentMetadata", "the agent's metadata cannot be read", "" },
    { AZCM_AGENT_STATUS, "AgentStatus", "the agent's status cannot be read", SEE_LOGS },
    { AZCM_ALREADY_CONNECTED, "AlreadyConnected", "the machine is connected already",
      "run mooring disconnect first" },
    { AZCM_SUBSCRIPTION_NAME, "SubscriptionLookup", "the subscription was not found by name",
      "give the subscription's id" },
    { AZCM_CONFIG_UPDATE, "ConfigUpdate", "the local configuration could not be changed", "" },
    { AZCM_CONFIG_READ, "ConfigRead", "the local configuration cannot be read", "" },
    { AZCM_EXTENSION_TOOL, "ExtensionTool", "the extension service refused", "" },
    { AZCM_CLOUD, "CloudUnavailable", "the cloud's configuration is not available",
      "mooring cloud list shows the known clouds; mooring cloud register adds one" },
    { AZCM_CERTIFICATE, "CertificateFailed", "the machine's certificate could not be had",
      SEE_LOGS },
    { AZCM_COMMAND, "CommandLine", "the command line cannot be read", "see mooring help" },
    { AZCM_RESOURCE_NAME, "ResourceName", "no resource name could be made from the host name",
      "give one with --resource-name" },
    { AZCM_KEYS, "Keys", "the machine's key could not be made", SEE_LOGS },
    { AZCM_PRIVATE_KEY, "PrivateKey", "the private key cannot be read",
      "want PEM, or base64 of the PKCS#1 DER as mooring genkey prints it" },
    { AZCM_SAVE_PARAMETERS, "SaveParameters", "agentconfig.json could not be written", "" },
    { AZCM_AZURE_VM, "AzureVirtualMachine",
      "this is an Azure virtual machine, which is managed as one",
      "to try it all the same, set MSFT_ARC_TEST=true" },
    { AZCM_AUDIT_BROKEN, "AuditBroken", "the local audit log was changed or lost lines",
      "keep a copy of the folder: what is behind the broken line may not be the truth" },
};

const struct moor_azcm_entry *moor_azcm_find(int number)
{
    const struct moor_azcm_entry *unknown = NULL;
    for (size_t i = 0; i < MOOR_COUNTOF(entries); i++) {
        if ((int)entries[i].number == number)
            return &entries[i];
        if (entries[i].number == AZCM_UNKNOWN)
            unknown = &entries[i];
    }
    return unknown;
}

const struct moor_azcm_entry *moor_azcm_table(size_t *count)
{
    *count = MOOR_COUNTOF(entries);
    return entries;
}

moor_azcm moor_azcm_of(const struct moor_error *err)
{
    static const moor_azcm by_code[] = {
        [MOOR_OK] = AZCM_OK,
        [MOOR_E_NOMEM] = AZCM_UNKNOWN,
        [MOOR_E_BADINPUT] = AZCM_INVALID_ARGUMENT,
        [MOOR_E_NOTFOUND] = AZCM_UNKNOWN,
        [MOOR_E_EXISTS] = AZCM_CONFIG_CONFLICT,
        [MOOR_E_DENIED] = AZCM_NOT_ADMIN,
        [MOOR_E_IO] = AZCM_UNKNOWN,
        [MOOR_E_UNSUPPORTED] = AZCM_UNSUPPORTED,
        [MOOR_E_TRANSIENT] = AZCM_NETWORK,
        [MOOR_E_THROTTLED] = AZCM_NETWORK,
        [MOOR_E_REMOTE] = AZCM_UNKNOWN,
        [MOOR_E_PROTOCOL] = AZCM_NETWORK,
        [MOOR_E_TIMEOUT] = AZCM_NETWORK,
        [MOOR_E_CANCELED] = AZCM_INTERRUPTED,
        [MOOR_E_LIMIT] = AZCM_NETWORK,
        [MOOR_E_PROXY] = AZCM_NETWORK,
        [MOOR_E_UNTRUSTED] = AZCM_NETWORK,
        [MOOR_E_BUG] = AZCM_INTERNAL,
    };
    if (err->http != 0 && err->code == MOOR_E_DENIED)
        return AZCM_UNKNOWN;
    return (size_t)err->code < MOOR_COUNTOF(by_code) ? by_code[err->code] : AZCM_UNKNOWN;
}
