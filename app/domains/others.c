/* Snapshots that libvirt itself keeps of domains of others. Ours are taken by snapshot.c. */
#include "app/domains/domains.h"

#include "backends/libvirt/domain_xml.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

/* Writing a big memory takes its time; whether anybody is there is known sooner. */
enum { OTHERS_S = 10, OTHERS_WORK_S = 1800 };
#define OTHERS_LATEST_S (1LL << 40)
enum { OTHERS_REVERTS_FILES = 9009000 }; /* libvirt 9.9.0 goes back to external ones of QEMU */

static int others_fail(const struct error *e)
{
    fprintf(stderr, "%s\n", e->text);
    return 1;
}

static virDomainPtr others_open(const char *uri, const char *word, virConnectPtr *ret,
                                struct error *e)
{
    domains_limit(OTHERS_S, NULL);
    *ret = domains_connect(uri, e);
    return *ret ? domains_lookup_others(*ret, word, e) : NULL;
}

static void others_close(virConnectPtr c, virDomainPtr d)
{
    if (d)
        virDomainFree(d);
    if (c)
        virConnectClose(c);
}

/* Whether it can go back to those that are files of their own, and which libvirt it is. */
static bool others_reverts_files(virConnectPtr c, char text[32])
{
    unsigned long version = 0;
    const char *type = virConnectGetType(c);
    virConnectGetLibVersion(c, &version);
    snprintf(text, 32, "%lu.%lu.%lu", version / 1000000, version / 1000 % 1000, version % 1000);
    return !str_equal(type, "QEMU") || version >= OTHERS_REVERTS_FILES;
}

/* --- the list --------------------------------------------------------------------------------- */

/* Bounded: a daemon elsewhere says what it likes, and it is taken from the time it is now. */
static json_int_t others_ms(const char *seconds)
{
    long long s = seconds ? strtoll(seconds, NULL, 10) : 0;
    return (json_int_t)MIN(MAX(s, 0LL), OTHERS_LATEST_S) * 1000;
}

static json_t *others_one(virDomainSnapshotPtr s)
{
    autofree char *xml = virDomainSnapshotGetXMLDesc(s, 0);
    if (!xml)
        return NULL; /* it has just gone */
    autofree char *state = domains_element(xml, "state"),
                  *created = domains_element(xml, "creationTime");
    virDomainSnapshotPtr parent = virDomainSnapshotGetParent(s, 0);
    bool memory = state && !str_equal(state, "shutoff") && !str_equal(state, "disk-snapshot");
    json_t *one = json_pack("{s:s, s:s?, s:I, s:s, s:b}", "name", virDomainSnapshotGetName(s),
                            "parent", parent ? virDomainSnapshotGetName(parent) : NULL,
                            "created_ms", others_ms(created), "holds", memory ? "memory" : "files",
                            "current", virDomainSnapshotIsCurrent(s, 0) == 1);
    if (parent)
        virDomainSnapshotFree(parent);
    return one;
}

/* By a question of its own: where each of its disks went is not for us to put together. */
static void others_kinds(virDomainPtr d, json_t *list, bool reverts_files)
{
    virDomainSnapshotPtr *of = NULL;
    size_t i;
    json_t *one;
    int count = virDomainListAllSnapshots(d, &of, VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL);
    json_array_foreach(list, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        bool external = false;
        for (int k = 0; k < count; k++)
            external = external || str_equal(virDomainSnapshotGetName(of[k]), name);
        if (count >= 0)
            json_object_set_new(one, "kind", json_string(external ? "external" : "internal"));
        json_object_set_new(one, "reverts", json_boolean(!external || reverts_files));
    }
    for (int k = 0; k < count; k++)
        virDomainSnapshotFree(of[k]);
    free(of);
}

/* The oldest first: libvirt has them in no order. */
static void others_insert(json_t *list, json_t *one)
{
    json_int_t created = json_integer_value(json_object_get(one, "created_ms"));
    size_t at = json_array_size(list);
    while (at > 0 && json_integer_value(
                         json_object_get(json_array_get(list, at - 1), "created_ms")) > created)
        at--;
    json_array_insert_new(list, at, one);
}

static json_t *others_list(virDomainPtr d, bool reverts_files, struct error *e)
{
    virDomainSnapshotPtr *of = NULL;
    int count = virDomainListAllSnapshots(d, &of, 0);
    if (count < 0) {
        domains_error(e, "its snapshots");
        return NULL;
    }
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        json_t *one = others_one(of[i]);
        if (one)
            others_insert(list, one);
        virDomainSnapshotFree(of[i]);
    }
    free(of);
    others_kinds(d, list, reverts_files);
    return list;
}

static void others_print(json_t *j)
{
    json_dumpf(j, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(j);
}

int domains_snapshots(const char *uri, const char *word)
{
    struct error e;
    char version[32];
    virConnectPtr c = NULL;
    virDomainPtr d = others_open(uri, word, &c, &e);
    bool reverts_files = d && others_reverts_files(c, version);
    json_t *list = d ? others_list(d, reverts_files, &e) : NULL;
    others_close(c, d);
    if (!list)
        return others_fail(&e);
    others_print(json_pack("{s:s, s:b, s:o}", "libvirt", version, "reverts_files", reverts_files,
                           "snapshots", list));
    return 0;
}

/* --- one of them ------------------------------------------------------------------------------ */

static int others_create(virDomainPtr d, const char *name, bool files, struct error *e)
{
    struct buf b = {0};
    buf_puts(&b, "<domainsnapshot>");
    if (*name) {
        buf_puts(&b, "<name>");
        domain_xml_text(&b, name);
        buf_puts(&b, "</name>");
    }
    buf_puts(&b, "</domainsnapshot>");
    autofree char *xml = buf_take(&b);
    virDomainSnapshotPtr s = virDomainSnapshotCreateXML(
        d, xml,
        files ? VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC : 0);
    if (!s)
        return domains_error(e, "create");
    others_print(json_pack("{s:s}", "name", virDomainSnapshotGetName(s)));
    virDomainSnapshotFree(s);
    return 0;
}

/* What libvirt calls risky it does only when told so, and that only after it has said so. */
static int others_revert(virDomainSnapshotPtr s, bool force, struct error *e)
{
    int r = virDomainRevertToSnapshot(s, 0);
    virErrorPtr last = r < 0 ? virGetLastError() : NULL;
    bool risky = last && last->code == VIR_ERR_SNAPSHOT_REVERT_RISKY;
    if (risky && force)
        r = virDomainRevertToSnapshot(s, VIR_DOMAIN_SNAPSHOT_REVERT_FORCE);
    if (r == 0)
        return 0;
    return domains_error(e, risky && !force ? "libvirt calls it risky, and with --force it is tried"
                                            : "revert");
}

static int others_remove(virDomainSnapshotPtr s, bool recursive, struct error *e)
{
    unsigned flags = recursive ? VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN : 0;
    return virDomainSnapshotDelete(s, flags) < 0 ? domains_error(e, "rm") : 0;
}

int domains_snapshot_do(const char *uri, const char *word, const char *verb, const char *name,
                        const char *how)
{
    struct error e;
    virConnectPtr c = NULL;
    virDomainPtr d = others_open(uri, word, &c, &e);
    bool create = str_equal(verb, "create");
    virDomainSnapshotPtr s = d && !create ? virDomainSnapshotLookupByName(d, name, 0) : NULL;
    int r = d ? 0 : -e.code;
    if (d && !create && !s)
        r = domains_error(&e, verb);
    domains_limit(OTHERS_WORK_S, NULL);
    if (r == 0 && create)
        r = others_create(d, name, str_equal(how, "files"), &e);
    else if (r == 0 && str_equal(verb, "revert"))
        r = others_revert(s, str_equal(how, "force"), &e);
    else if (r == 0)
        r = others_remove(s, str_equal(how, "recursive"), &e);
    if (s)
        virDomainSnapshotFree(s);
    others_close(c, d);
    return r < 0 ? others_fail(&e) : 0;
}
