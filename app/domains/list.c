/* What the CLI asks for: whether libvirt answers, which domains there are, and one thing with one.
 */
#include "app/domains/domains.h"

#include "backends/libvirt/domain_xml.h"
#include "base/str.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { LIST_S = 10 };

static int list_fail(const struct error *e)
{
    fprintf(stderr, "%s\n", e->text);
    return 1;
}

int domains_probe(const char *uri)
{
    struct error e;
    unsigned long libvirt = 0, qemu = 0;
    virConnectPtr c = domains_connect(uri, &e);
    if (!c)
        return list_fail(&e);
    virConnectGetLibVersion(c, &libvirt);
    virConnectGetVersion(c, &qemu);
    printf("libvirt %lu.%lu.%lu, %s %lu.%lu.%lu\n", libvirt / 1000000, libvirt / 1000 % 1000,
           libvirt % 1000, virConnectGetType(c), qemu / 1000000, qemu / 1000 % 1000, qemu % 1000);
    virConnectClose(c);
    return 0;
}

static const char *list_state(virDomainStatsRecordPtr r)
{
    static const char *const names[] = {
        [VIR_DOMAIN_NOSTATE] = "running",   [VIR_DOMAIN_RUNNING] = "running",
        [VIR_DOMAIN_BLOCKED] = "running",   [VIR_DOMAIN_PAUSED] = "paused",
        [VIR_DOMAIN_SHUTDOWN] = "stopping", [VIR_DOMAIN_SHUTOFF] = "off",
        [VIR_DOMAIN_CRASHED] = "crashed",   [VIR_DOMAIN_PMSUSPENDED] = "suspended",
    };
    int state = 0;
    virTypedParamsGetInt(r->params, r->nparams, "state.state", &state);
    return state >= 0 && state < (int)ARRAY_SIZE(names) ? names[state] : "unknown";
}

static json_t *list_one(virDomainStatsRecordPtr r)
{
    char uuid[VIR_UUID_STRING_BUFLEN] = "";
    unsigned long long cpu = 0, memory = 0;
    virDomainGetUUIDString(r->dom, uuid);
    virTypedParamsGetULLong(r->params, r->nparams, "cpu.time", &cpu);
    virTypedParamsGetULLong(r->params, r->nparams, "balloon.current", &memory);
    autofree char *name = str_escape_z(virDomainGetName(r->dom));
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:b}", "name", name, "uuid", uuid, "state",
                     list_state(r), "cpu_us", (json_int_t)(cpu / 1000), "memory",
                     (json_int_t)memory * 1024, "ours",
                     str_starts(uuid, "c0ffe4da-0000-4000-8000-"));
}

/* One call for all of them. */
int domains_list(const char *uri)
{
    const unsigned what =
        VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_BALLOON;
    struct error e;
    virDomainStatsRecordPtr *records = NULL;
    domains_limit(LIST_S, NULL);
    virConnectPtr c = domains_connect(uri, &e);
    if (!c)
        return list_fail(&e);
    int count =
        virConnectGetAllDomainStats(c, what, &records, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
    if (count < 0) {
        domains_error(&e, uri);
        return list_fail(&e);
    }
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, list_one(records[i]));
    json_dumpf(list, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(list);
    virDomainStatsRecordListFree(records);
    virConnectClose(c);
    return 0;
}

static int control_start(virDomainPtr d)
{
    return virDomainCreate(d);
}

static int control_reset(virDomainPtr d)
{
    return virDomainReset(d, 0);
}

int domains_control(const char *uri, const char *word, const char *verb)
{
    static const struct {
        const char *verb;
        int (*call)(virDomainPtr d);
    } rows[] = {
        {"stop",   virDomainShutdown},
        {"kill",   virDomainDestroy },
        {"pause",  virDomainSuspend },
        {"resume", virDomainResume  },
        {"start",  control_start    },
        {"reset",  control_reset    },
    };
    struct error e;
    domains_limit(LIST_S, NULL);
    virConnectPtr c = domains_connect(uri, &e);
    virDomainPtr d = c ? virDomainLookupByName(c, word) : NULL;
    if (c && !d)
        d = virDomainLookupByUUIDString(c, word);
    if (d && strncmp(virDomainGetName(d), "cofferdam-", 10) == 0) {
        virDomainFree(d);
        virConnectClose(c);
        error_set(&e, EPERM, "it is one of ours: call it by its own name");
        return list_fail(&e);
    }
    int r = d ? 0 : c ? domains_error(&e, word) : -e.code;
    for (size_t i = 0; d && i < ARRAY_SIZE(rows); i++)
        if (str_equal(rows[i].verb, verb) && rows[i].call(d) < 0)
            r = domains_error(&e, verb);
    if (d)
        virDomainFree(d);
    if (c)
        virConnectClose(c);
    return r < 0 ? list_fail(&e) : 0;
}
