#include "app/domains/domains.h"

#include "app/domains/process.h"
#include "backends/libvirt/domain_xml.h"
#include "base/dirs.h"
#include "base/str.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void (*limit_word)(void);

/* Said by the error structs alone. */
static void say_nothing(void *data, virErrorPtr error)
{
}

int domains_error(struct error *e, const char *what)
{
    virErrorPtr last = virGetLastError();
    const char *text = last && last->message ? last->message : "unknown";
    autofree char *shown = str_escape(text, strnlen(text, 360));
    int code = last && last->code == VIR_ERR_OPERATION_UNSUPPORTED ? ENOTSUP : EIO;
    return error_set(e, code, "%s: %s", what, shown);
}

virConnectPtr domains_connect(const char *uri, struct error *e)
{
    virSetErrorFunc(NULL, say_nothing);
    virConnectPtr c = virInitialize() < 0 ? NULL : virConnectOpen(uri);
    if (!c)
        domains_error(e, uri);
    return c;
}

static void limit_reached(int signo)
{
    if (limit_word)
        limit_word();
    _exit(124);
}

void domains_limit(unsigned seconds, void (*last_word)(void))
{
    limit_word = last_word;
    signal(SIGALRM, seconds ? limit_reached : SIG_IGN);
    alarm(seconds);
}

/* Somebody else's at the same libvirt, or of another host, looks the same but has no folder here.
 */
bool domains_are_ours(const char *uuid)
{
    static struct dirs d;
    char ours[DOMAIN_UUID_SIZE];
    struct error ignored;
    domain_uuid("", ours);
    if (!str_starts(uuid, ours))
        return false;
    if (!d.runtime && dirs_init(&d, &ignored) < 0)
        return true;
    autofree char *folder = str_join_path(d.runtime, uuid + strlen(ours));
    return access(folder, F_OK) == 0;
}

virDomainPtr domains_lookup(virConnectPtr c, const char *word, struct error *e)
{
    virDomainPtr d = virDomainLookupByName(c, word);
    if (!d)
        d = virDomainLookupByUUIDString(c, word);
    if (!d)
        domains_error(e, word);
    return d;
}

virDomainPtr domains_lookup_others(virConnectPtr c, const char *word, struct error *e)
{
    char uuid[VIR_UUID_STRING_BUFLEN] = "";
    virDomainPtr d = domains_lookup(c, word, e);
    if (!d || virDomainGetUUIDString(d, uuid) < 0 || !domains_are_ours(uuid))
        return d;
    virDomainFree(d);
    error_set(e, EPERM, "it is one of ours: call it by its own name");
    return NULL;
}

virDomainPtr domains_find(virConnectPtr c, const char *id)
{
    char uuid[DOMAIN_UUID_SIZE];
    domain_uuid(id, uuid);
    virDomainPtr d = virDomainLookupByUUIDString(c, uuid);
    autofree char *name = str_format("cofferdam-%s", id);
    if (d && !str_equal(virDomainGetName(d), name)) {
        virDomainFree(d);
        return NULL;
    }
    return d;
}

char *domains_element(const char *xml, const char *name)
{
    autofree char *begin = str_format("<%s>", name), *end = str_format("</%s>", name);
    const char *at = strstr(xml, begin);
    at = at ? at + strlen(begin) : NULL;
    const char *stop = at ? strstr(at, end) : NULL;
    return stop ? str_ndup(at, (size_t)(stop - at)) : NULL;
}

int domains_find_process(virDomainPtr d, const char *id, const struct domain_host *h,
                         pid_t *ret_pid, int *ret_pidfd)
{
    char uuid[DOMAIN_UUID_SIZE];
    autofree char *xml = virDomainGetXMLDesc(d, 0);
    autofree char *program = xml ? domains_element(xml, "emulator") : NULL;
    if (!program)
        return -ESRCH;
    domain_uuid(id, uuid);
    const struct process_mark m = {
        .uuid = uuid, .program = program, .uid = h->other ? h->uid : geteuid()};
    return process_find(&m, ret_pid, ret_pidfd);
}

uint64_t domains_blocks(virDomainStatsRecordPtr r, const char *what)
{
    unsigned count = 0;
    uint64_t sum = 0;
    virTypedParamsGetUInt(r->params, r->nparams, "block.count", &count);
    for (unsigned i = 0; i < MIN(count, 64u); i++) {
        char name[64];
        unsigned long long n = 0;
        snprintf(name, sizeof(name), "block.%u.%s", i, what);
        virTypedParamsGetULLong(r->params, r->nparams, name, &n);
        sum += n;
    }
    return sum;
}
