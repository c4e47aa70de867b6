#include "app/cli/machine_warm.h"

#include "base/sha256.h"
#include "images/cache_prune.h"

#include <inttypes.h>
#include <sys/stat.h>

enum { WARM_NAME = 24 };

static void warm_hash(const struct buf *text, char to[65])
{
    struct sha256 s;
    unsigned char digest[32];
    sha256_init(&s);
    sha256_add(&s, text->data, text->used);
    sha256_end(&s, digest);
    sha256_hex(digest, to);
    to[WARM_NAME] = '\0';
}

static void warm_add(struct buf *text, const char *what)
{
    buf_add(text, what ? what : "-", (what ? strlen(what) : 1) + 1);
}

/* A file's name, and what changes when somebody puts another there. */
static void warm_add_file(struct buf *text, const char *path)
{
    struct stat st = {0};
    warm_add(text, path);
    if (path && stat(path, &st) == 0)
        buf_printf(text, "%ju %jd.%09ld %ju\n", (uintmax_t)st.st_ino, (intmax_t)st.st_mtim.tv_sec,
                   st.st_mtim.tv_nsec, (uintmax_t)st.st_size);
}

/* Once one of these is another, no start needs the template any more. */
static void warm_parts(const struct plan *p, char to[65])
{
    const struct plan_machine *m = &p->machine;
    autobuf text = {0};
    warm_add(&text, m->version);
    warm_add_file(&text, m->program);
    warm_add_file(&text, m->kernel);
    warm_add_file(&text, m->initramfs);
    warm_add_file(&text, m->root);
    if (m->blank)
        warm_add_file(&text, m->blank);
    warm_hash(&text, to);
}

/* What one workload wants this way and another that way. */
static void warm_shape(const struct plan *p, char to[65])
{
    const struct plan_machine *m = &p->machine;
    autobuf text = {0};
    warm_add(&text, m->type);
    warm_add(&text, m->cpu_model);
    warm_add(&text, p->network == PLAN_NETWORK_NONE ? "" : "network");
    buf_printf(&text, "1 %d %u %" PRIu64 " %" PRIu64 "\n", (int)m->accel, m->cpus, m->memory,
               m->accel == PLAN_ACCEL_TCG ? m->tsc_khz : 0);
    if (m->scratch)
        buf_printf(&text, "%" PRIu64 "\n", p->limits.disk);
    if (m->nested == PLAN_NESTED_YES)
        warm_add(&text, "nested");
    warm_hash(&text, to);
}

static uint64_t warm_bytes(const char *path)
{
    static const char *const parts[] = {"memory", "state"};
    uint64_t bytes = 0;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        struct stat st;
        autofree char *part = str_join_path(path, parts[i]);
        if (stat(part, &st) == 0)
            bytes += (uint64_t)st.st_blocks * 512;
    }
    return bytes;
}

void machine_warm(const struct dirs *d, struct plan *p)
{
    struct plan_machine *m = &p->machine;
    char slot[65], parts[65], shape[65];
    autobuf who = {0};
    if (!m->warm || !plan_runtime_warms(p->runtime) || !m->program || !m->kernel || !m->initramfs ||
        !m->root || p->snapshot)
        return;
    warm_add(&who, p->profile);
    warm_add(&who, p->image);
    warm_hash(&who, slot);
    warm_parts(p, parts);
    warm_shape(p, shape);
    m->warmed = str_format("%s/" CACHE_TEMPLATES_FOLDER "/%s-%s-%s" CACHE_TEMPLATES_ENDING,
                           d->cache, slot, parts, shape);
    m->warmed_bytes = warm_bytes(m->warmed);
}
