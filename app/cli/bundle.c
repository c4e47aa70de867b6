#include "app/cli/bundle.h"

#include "backends/bundle/config.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/spawn.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BUNDLE_COPY_MS = 600000, BUNDLE_SAID_MAX = 4096, BUNDLE_RANGE = 0x70000000 };

static int bundle_run(const char *const *argv, struct error *e)
{
    autofree char *said = NULL;
    int status = 0;
    int r = spawn_run(argv, BUNDLE_COPY_MS, BUNDLE_SAID_MAX, &status, &said, e);
    if (r == 0 && status != 0) {
        autofree char *shown = str_escape_z(str_trim(said));
        r = error_set(e, EIO, "%s: %.300s", argv[0], shown);
    }
    return r;
}

/* The image's one folder on this host. */
static const struct plan_mount *bundle_root(const struct plan *p, struct error *e)
{
    for (size_t i = 0; i < p->mounts_count; i++) {
        const struct plan_mount *m = &p->mounts[i];
        if (m->kind != PLAN_MOUNT_OVERLAY || !str_equal(m->target, "/"))
            continue;
        if (m->layers && m->layers[0] && m->layers[1]) {
            error_set(e, ENOTSUP,
                      "the image %s has %zu layers, which lie on one another only while it runs; "
                      "mend: import it as one root file system",
                      p->image, strv_length(m->layers));
            return NULL;
        }
        return m;
    }
    error_set(e, ENOTSUP, "the image %s is no folder of its own; mend: --image NAME or dir:PATH",
              p->image);
    return NULL;
}

static int bundle_copy(const struct plan *p, const struct plan_mount *m, const char *rootfs,
                       uint32_t range, struct error *e)
{
    autofree char *from = str_format("%s/.", m->source), *owner = str_format("%u:%u", range, range);
    const char *const copy[] = {"cp", "-a", "--", from, rootfs, NULL};
    const char *const own[] = {"chown", "-R", "-h", owner, rootfs, NULL};
    int r = bundle_run(copy, e);
    /* a folder's owners are the host's; an image's belong to the range already */
    if (r == 0 && p->map_by == PLAN_MAP_PARENT && !m->layers_owner)
        r = bundle_run(own, e);
    if (r == 0 && p->map_by == PLAN_MAP_PARENT && chown(rootfs, range, range) < 0)
        r = error_errno(e, errno, "%s", rootfs);
    return r;
}

int bundle_write(struct plan *p, const char *folder, struct error *e)
{
    const struct plan_mount *m = bundle_root(p, e);
    if (!m)
        return -e->code;
    if (p->network == PLAN_NETWORK_PRIVATE)
        return error_set(e, ENOTSUP,
                         "network.mode = private: nobody would translate for a bundle that is "
                         "run by hand; mend: --network none, or --network host");
    const struct oci_words words = {
        .kind = OCI_OTHER,
        .by_hand = true,
        .range = m->layers_owner ? m->layers_owner : BUNDLE_RANGE,
        .root = "rootfs",
        .rows = 24,
        .cols = 80,
    };
    oci_lower_limits(p);
    autofree char *text = oci_config(p, &words), *rootfs = str_join_path(folder, "rootfs");
    if (!text)
        return error_set(e, EINVAL, "the plan has no words in JSON: is it UTF-8?");
    if (mkdir(folder, 0755) < 0 || mkdir(rootfs, 0755) < 0)
        return error_errno(e, errno, "%s", folder);
    int r = bundle_copy(p, m, rootfs, words.range, e);
    if (r < 0)
        return r;
    autoclose int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = dir < 0 ? -errno : file_write_whole(dir, "config.json", text, strlen(text), 0644, false);
    return r < 0 ? error_errno(e, -r, "%s/config.json", folder) : 0;
}
