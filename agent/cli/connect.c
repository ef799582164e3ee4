/* SPDX-License-Identifier: Apache-2.0 */
/* mooring connect */
#include "cli/joining.h"

const struct moor_option moor_connect_options[] = {
    MOOR_JOIN_WHERE,
    MOOR_JOIN_RESOURCE,
    MOOR_CREDENTIAL_OPTIONS(struct moor_join_options, who),
    { NULL, 0, NULL, 0, NULL },
};

static moor_azcm run_connect(struct moor_cli *cli, const void *options,
                             const struct moor_words *words)
{
    MOOR_AUTO(moor_joining) j = MOOR_JOINING_INIT;
    (void)words;
    moor_azcm number = moor_joining_prepare(cli, options, moor_connect_options, true, &j);
    return number == AZCM_OK ? moor_joining_connect(cli, &j) : number;
}

const struct moor_verb moor_verb_connect = {
    .name = "connect",
    .words = "",
    .summary = "make this machine a resource of a cloud",
    .text =
        "The secret of the service principal comes from a file, standard input (-), or the\n"
        "variable MOORING_SERVICE_PRINCIPAL_SECRET; an access token from a file or\n"
        "MOORING_ACCESS_TOKEN. --config reads options from one mapping of long option names\n"
        "to scalars or lists, where flags are true or false; YAML anchors, aliases and tags\n"
        "are not taken.\n"
        "\n"
        "In a cloud without a Mooring service, as Azure itself is, the machine is an application\n"
        "of the directory: --identity-mode service-principal; the command waits until somebody\n"
        "has added the machine's certificate to it.\n"
        "\n"
        "A service principal that the cloud does not know yet, and then its rights, are waited\n"
        "for up to five minutes each: new ones take a while to be known everywhere.\n"
        "\n"
        "The steps are told one by one. When one fails, or the time is over, what was made is\n"
        "undone, and what could not be undone is named. The same command run again after a\n"
        "crash goes on where it stopped; run on a connected machine it changes nothing and\n"
        "succeeds.\n",
    .options = moor_connect_options,
    .options_size = sizeof(struct moor_join_options),
    .admin = true,
    .run = run_connect,
};
