/*
 * Plans of expected/ → config.json for each runtime, compared with expected/oci/, laid out for
 * reading; and each holds what the specification's schema demands. `--update` writes the files anew
 * instead.
 */
#include "backends/bundle/config.h"
#include "backends/oci/runtime.h"
#include "base/fd.h"
#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const plans[] = {"host",   "host-root", "host-read-only", "image-of-store",
                                    "limits", "dir",       "network-private"};
static const struct {
    const char *name;
    enum oci_kind kind;
    bool by_hand;
    const char *calls; /* where its list of them stands */
} kinds[] = {
    {"crun",  OCI_CRUN,  false, "calls-errno.json"},
    {"runc",  OCI_RUNC,  false, "calls-errno.json"},
    {"runsc", OCI_RUNSC, false, "calls.json"      },
    {"hand",  OCI_OTHER, true,  "calls.json"      },
};
static int number;

static void report(bool good, const char *plan, const char *kind, const char *what)
{
    printf("%sok %d - %s for %s: %s\n", good ? "" : "not ", ++number, plan, kind, what);
}

/* Of schema/config-schema.json: what must be there, and of which type. */
static bool is_list_of_text(const json_t *a)
{
    size_t i;
    json_t *v;
    if (!json_is_array(a))
        return false;
    json_array_foreach(a, i, v) if (!json_is_string(v)) return false;
    return true;
}

static bool mounts_are_good(const json_t *mounts)
{
    size_t i;
    json_t *m;
    json_array_foreach(mounts, i, m)
    {
        const char *to = json_string_value(json_object_get(m, "destination"));
        if (!to || to[0] != '/' || !json_is_string(json_object_get(m, "type")) ||
            !is_list_of_text(json_object_get(m, "options")))
            return false;
    }
    return json_is_array(mounts);
}

static bool calls_are_good(const json_t *seccomp)
{
    size_t i;
    json_t *c;
    if (!seccomp)
        return true;
    const json_t *calls = json_object_get(seccomp, "syscalls");
    if (!json_is_string(json_object_get(seccomp, "defaultAction")))
        return false;
    json_array_foreach(calls, i, c) if (!is_list_of_text(json_object_get(c, "names")) ||
                                        json_array_size(json_object_get(c, "names")) == 0 ||
                                        !json_is_string(json_object_get(c, "action"))) return false;
    return json_array_size(calls) > 0;
}

static bool is_valid(const char *text)
{
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const json_t *p = json_object_get(o, "process"), *l = json_object_get(o, "linux");
    const char *version = json_string_value(json_object_get(o, "ociVersion"));
    const char *cwd = json_string_value(json_object_get(p, "cwd"));
    bool good = version && strncmp(version, "1.0.", 4) == 0 && cwd && cwd[0] == '/' &&
                is_list_of_text(json_object_get(p, "args")) &&
                is_list_of_text(json_object_get(p, "env")) &&
                json_is_integer(json_object_get(json_object_get(p, "user"), "uid")) &&
                json_is_string(json_object_get(json_object_get(o, "root"), "path")) &&
                mounts_are_good(json_object_get(o, "mounts")) &&
                json_array_size(json_object_get(l, "namespaces")) >= 5 &&
                is_list_of_text(json_object_get(l, "maskedPaths")) &&
                is_list_of_text(json_object_get(l, "readonlyPaths")) &&
                calls_are_good(json_object_get(l, "seccomp"));
    json_decref(o);
    return good;
}

/*
 * The list of calls has two thousand lines and is the same in most: it stands in a file of its own,
 * of which the others say the name.
 */
static char *shorten(const char *folder, const char *text, const char *name, bool update)
{
    json_t *o = json_loads(text, 0, NULL), *l = json_object_get(o, "linux");
    json_t *calls = json_object_get(l, "seccomp");
    autofree char *file = str_format("%s/oci/%s", folder, name), *kept = NULL, *line = NULL;
    autofree char *list = calls ? json_dumps(calls, JSON_INDENT(2)) : NULL;
    if (list) {
        line = str_format("%s\n", list);
        if (update)
            file_write_whole(AT_FDCWD, file, line, strlen(line), 0644, false);
        if (file_read(AT_FDCWD, file, 1 << 20, &kept, NULL) == 0 && str_equal(kept, line))
            json_object_set_new(l, "seccomp", json_string(name));
    }
    autofree char *whole = json_dumps(o, JSON_INDENT(2));
    json_decref(o);
    return str_format("%s\n", whole);
}

static void compare(const char *folder, const char *plan, size_t k, bool update)
{
    struct error e;
    struct plan *p = NULL;
    autofree char *path = str_format("%s/%s.json", folder, plan), *json = NULL, *want = NULL;
    autofree char *file = str_format("%s/oci/%s-%s.json", folder, plan, kinds[k].name);
    size_t size = 0;
    if (file_read(AT_FDCWD, path, 1 << 20, &json, &size) < 0 ||
        plan_from_json(json, size, &p, &e) < 0) {
        report(false, plan, kinds[k].name, "the plan can be read");
        return;
    }
    const struct oci_words words = {
        .kind = kinds[k].kind,
        .by_hand = kinds[k].by_hand,
        .range = 0x70000000,
        .root = kinds[k].by_hand ? "rootfs" : OCI_BUNDLE "/rootfs",
        .init = kinds[k].by_hand ? NULL : OCI_INIT,
        .rows = 24,
        .cols = 80,
    };
    autofree char *got = oci_config(p, &words);
    autofree char *line = shorten(folder, got, kinds[k].calls, update);
    plan_free(p);
    if (update)
        file_write_whole(AT_FDCWD, file, line, strlen(line), 0644, false);
    int r = file_read(AT_FDCWD, file, 1 << 20, &want, NULL);
    report(r == 0 && str_equal(want, line), plan, kinds[k].name, "as expected");
    report(is_valid(got), plan, kinds[k].name, "valid");
}

int main(int argc, char **argv)
{
    bool update = argc > 2 && str_equal(argv[2], "--update");
    if (argc < 2)
        return 2;
    autofree char *folder = str_join_path(argv[1], "oci");
    if (update)
        mkdir(folder, 0755);
    printf("1..%zu\n", ARRAY_SIZE(plans) * ARRAY_SIZE(kinds) * 2);
    for (size_t i = 0; i < ARRAY_SIZE(plans); i++)
        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
            compare(argv[1], plans[i], k, update);
    return 0;
}
