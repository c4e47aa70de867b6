/* Profiles and workload files through their layers: shipped, system, user, each with drop-ins. */
#include "base/dirs.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/module.h"
#include "config.h"
#include "profiles/entries.h"
#include "profiles/forms.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LAYER_SHIPPED, LAYER_SYSTEM, LAYER_USER, LAYER_COUNT };
enum { INHERIT_MAX = 16, DROP_INS_MAX = 256 };

static const char profiles_kind[] = "profiles";
static const char workloads_kind[] = "workloads";

int profile_path_init(struct profile_path *p, struct error *e)
{
    struct dirs d;
    int r = dirs_init(&d, e);
    if (r < 0)
        return r;
    autofree char *data = module_data_dir();
    bool in_source = str_equal(data, COFFERDAM_SOURCE_ROOT);
    p->dirs[LAYER_SHIPPED] = str_join_path(data, in_source ? "profiles/shipped" : profiles_kind);
    p->dirs[LAYER_SYSTEM] = str_dup(COFFERDAM_SYSCONFDIR);
    p->dirs[LAYER_USER] = str_dup(d.config);
    dirs_done(&d);
    return 0;
}

void profile_path_done(struct profile_path *p)
{
    for (size_t i = 0; i < LAYER_COUNT; i++)
        free(p->dirs[i]);
    *p = (struct profile_path){0};
}

/* A layer's folder of a kind, owned by the caller; NULL: the layer has none of that kind. */
static char *layer_folder(const struct profile_path *p, size_t layer, const char *kind)
{
    if (layer == LAYER_SHIPPED)
        return str_equal(kind, profiles_kind) ? str_dup(p->dirs[layer]) : NULL;
    return str_join_path(p->dirs[layer], kind);
}

/* Whom a file must belong to: those who could change this very program, or the person running it.
 */
static int layer_check_file(size_t layer, int fd, const char *path, struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(e, errno, "%s", path);
    if (!S_ISREG(st.st_mode))
        return error_set(e, EINVAL, "%s is not a regular file", path);
    if (layer != LAYER_SHIPPED && st.st_uid != 0 && st.st_uid != geteuid())
        return error_set(e, EPERM, "%s belongs to user %u, neither to root nor to you", path,
                         (unsigned)st.st_uid);
    if (st.st_mode & S_IWOTH)
        return error_set(e, EPERM, "%s can be changed by everybody (chmod o-w mends it)", path);
    if (st.st_size > ENTRIES_FILE_MAX)
        return error_set(e, EFBIG, "%s is larger than 1 MiB", path);
    return 0;
}

static bool layer_is_mask(const char *path)
{
    char link[16];
    ssize_t n = readlink(path, link, sizeof(link));
    return n == 9 && memcmp(link, "/dev/null", 9) == 0;
}

/* Reads and parses one file. -ENOENT: none there; -ENXIO: masked; neither has text. */
static int layer_read(size_t layer, const char *path, const char *label, unsigned files,
                      struct entries *ret, struct error *e)
{
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return -ENOENT;
        if (errno != ELOOP)
            return error_errno(e, errno, "%s", path);
        if (layer_is_mask(path))
            return -ENXIO;
        return error_set(e, ELOOP,
                         "%s is a link; only one to /dev/null, which masks, may stand "
                         "here",
                         path);
    }
    int r = layer_check_file(layer, fd, path, e);
    if (r < 0)
        return r;
    /* one byte more than allowed, so that a file that grew meanwhile shows */
    autobuf b = {0};
    ssize_t n;
    do {
        buf_reserve(&b, 4096);
        n = read(fd, b.data + b.used, b.room - b.used - 1);
        if (n < 0 && errno != EINTR)
            return error_errno(e, errno, "%s", path);
        b.used += n > 0 ? (size_t)n : 0;
        if (b.used > ENTRIES_FILE_MAX)
            return error_set(e, EFBIG, "%s is larger than 1 MiB", path);
    } while (n != 0);
    return entries_parse(b.data, b.used, path, label, files, ret, e);
}

/* The file of the strongest layer that has one. -ENOENT (no text), -ENXIO with text if masked. */
static int layers_read_main(const struct profile_path *p, const char *kind, const char *name,
                            unsigned files, struct entries *ret, struct error *e)
{
    autofree char *label = str_format("%s.ini", name);
    for (size_t layer = LAYER_COUNT; layer-- > 0;) {
        autofree char *folder = layer_folder(p, layer, kind);
        if (!folder)
            continue;
        autofree char *path = str_join_path(folder, label);
        int r = layer_read(layer, path, label, files, ret, e);
        if (r == -ENXIO)
            return error_set(e, ENXIO, "%s is masked by %s", name, path);
        if (r != -ENOENT)
            return r;
    }
    return -ENOENT;
}

/* The names NAME.ini.d/ of a layer holds, sorted; empty if there is no such folder. */
static int layer_list(const char *folder, char ***ret, struct error *e)
{
    autostrv char **names = mem_zero(1, sizeof(char *));
    DIR *d = opendir(folder);
    if (!d) {
        if (errno != ENOENT && errno != ENOTDIR)
            return error_errno(e, errno, "%s", folder);
        *ret = TAKE(names);
        return 0;
    }
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(d)) && count < 4096;) {
        if (entry->d_name[0] == '.' || !str_ends(entry->d_name, ".ini"))
            continue;
        strv_add(&names, entry->d_name);
        count++;
    }
    closedir(d);
    for (size_t i = 1; i < count; i++) {
        for (size_t j = i; j > 0 && strcmp(names[j - 1], names[j]) > 0; j--) {
            char *swap = names[j];
            names[j] = names[j - 1];
            names[j - 1] = swap;
        }
    }
    *ret = TAKE(names);
    return 0;
}

/* All the files one name is made of: the main one first, then the drop-ins in their order. */
struct pile {
    struct entries *files; /* owned */
    size_t count;
};

static void pile_done(struct pile *pile)
{
    for (size_t i = 0; i < pile->count; i++)
        entries_done(&pile->files[i]);
    free(pile->files);
    *pile = (struct pile){0};
}

static void pile_take(struct pile *pile, struct entries *n)
{
    pile->files = mem_grow(pile->files, pile->count + 1, sizeof(*n));
    pile->files[pile->count++] = *n;
}

static int pile_add_drop_ins(struct pile *pile, const struct profile_path *p, const char *kind,
                             const char *name, unsigned files, struct error *e)
{
    char *folders[LAYER_COUNT] = {0};
    char **names[LAYER_COUNT] = {0};
    int r = 0;
    for (size_t layer = 0; layer < LAYER_COUNT && r == 0; layer++) {
        autofree char *folder = layer_folder(p, layer, kind);
        if (!folder)
            continue;
        folders[layer] = str_format("%s/%s.ini.d", folder, name);
        r = layer_list(folders[layer], &names[layer], e);
    }
    for (size_t layer = 0; layer < LAYER_COUNT && r == 0; layer++) {
        for (char **drop_in = names[layer]; drop_in && *drop_in && r == 0; drop_in++) {
            bool replaced = false;
            for (size_t above = layer + 1; above < LAYER_COUNT; above++)
                replaced = replaced || strv_has(names[above], *drop_in);
            if (replaced)
                continue;
            struct entries n;
            autofree char *path = str_join_path(folders[layer], *drop_in);
            autofree char *label = str_format("%s.ini.d/%s", name, *drop_in);
            if (pile->count > DROP_INS_MAX)
                r = error_set(e, E2BIG, "%s: more than %d drop-ins", path, DROP_INS_MAX);
            else
                r = layer_read(layer, path, label, files, &n, e);
            if (r == 0)
                pile_take(pile, &n);
            if (r == -ENXIO || r == -ENOENT) /* masked, or just removed */
                r = 0;
        }
    }
    for (size_t layer = 0; layer < LAYER_COUNT; layer++) {
        free(folders[layer]);
        strv_free(names[layer]);
    }
    return r;
}

/* Words "there is none" with the nearest name there is. */
static int layers_no_such(const struct profile_path *p, const char *kind, const char *name,
                          struct error *e)
{
    struct error ignored;
    autostrv char **all = mem_zero(1, sizeof(char *));
    for (size_t layer = 0; layer < LAYER_COUNT; layer++) {
        autofree char *folder = layer_folder(p, layer, kind);
        autostrv char **names = NULL;
        if (!folder || layer_list(folder, &names, &ignored) < 0)
            continue;
        for (char **one = names; *one; one++)
            strv_take(&all, str_ndup(*one, strlen(*one) - strlen(".ini")));
    }
    autofree char *shown = str_escape(name, strnlen(name, 64));
    const char *what = str_equal(kind, profiles_kind) ? "profile" : "workload";
    const char *near = str_nearest(name, (const char *const *)all, strv_length(all));
    autofree char *near_shown = near ? str_escape_z(near) : NULL;
    if (near)
        return error_set(e, ENOENT, "there is no %s \"%s\"; did you mean \"%s\"?", what, shown,
                         near_shown);
    return error_set(e, ENOENT, "there is no %s \"%s\"", what, shown);
}

static int pile_read(struct pile *pile, const struct profile_path *p, const char *kind,
                     const char *name, struct error *e)
{
    unsigned files = str_equal(kind, profiles_kind) ? KEY_IN_PROFILE : KEY_IN_WORKLOAD;
    struct entries n;
    if (!form_is_name(name))
        return layers_no_such(p, kind, name, e);
    int r = layers_read_main(p, kind, name, files, &n, e);
    if (r == -ENOENT)
        return layers_no_such(p, kind, name, e);
    if (r == -ENXIO) {
        e->code = ENOENT;
        return -ENOENT;
    }
    if (r < 0)
        return r;
    pile_take(pile, &n);
    return pile_add_drop_ins(pile, p, kind, name, files, e);
}

static int pile_apply(const struct pile *pile, struct settings *s, struct error *e)
{
    for (size_t i = 0; i < pile->count; i++) {
        int r = entries_apply(&pile->files[i], s, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static const char *pile_value(const struct pile *pile, enum key_id key)
{
    for (size_t i = pile->count; i > 0; i--) {
        const char *value = entries_value(&pile->files[i - 1], key);
        if (value)
            return value;
    }
    return NULL;
}

/* Those being loaded, from the one asked for down to the one at hand. */
struct chain {
    const struct chain *above;
    const char *name;
    const char *path; /* the file's, once it is found */
    unsigned length;
};

static int chain_check(const struct chain *chain, const char *next, struct error *e)
{
    for (const struct chain *c = chain; c; c = c->above) {
        if (str_equal(c->name, next)) {
            if (c == chain)
                return error_set(e, ELOOP,
                                 "profile %s inherits itself; to change a profile, lay a "
                                 "drop-in %s.ini.d/NAME.ini over it",
                                 next, next);
            return error_set(e, ELOOP, "profile %s inherits itself, through %s", next, chain->name);
        }
    }
    if (chain->length >= INHERIT_MAX)
        return error_set(e, ELOOP, "more than %d profiles inherit one another", INHERIT_MAX);
    return 0;
}

static int layers_load_profile(const struct profile_path *p, const char *name,
                               const struct chain *above, struct settings *s, struct error *e)
{
    struct chain chain = {above, name, NULL, above ? above->length + 1 : 1};
    struct pile pile = {0};
    int r = pile_read(&pile, p, profiles_kind, name, e);
    if (r == -ENOENT && above)
        error_wrap(e, "%s", above->path);
    const char *inherit = r == 0 ? pile_value(&pile, KEY_PROFILE_INHERIT) : NULL;
    if (!str_empty(inherit)) {
        chain.path = pile.files[0].path;
        r = chain_check(&chain, inherit, e);
        r = r < 0 ? error_wrap(e, "%s", chain.path)
                  : layers_load_profile(p, inherit, &chain, s, e);
    }
    if (r == 0)
        r = pile_apply(&pile, s, e);
    pile_done(&pile);
    return r;
}

int profile_load(const struct profile_path *p, const char *name, struct settings *s,
                 struct error *e)
{
    return layers_load_profile(p, name, NULL, s, e);
}

int workload_load(const struct profile_path *p, const char *name, struct settings *s,
                  struct error *e)
{
    struct pile pile = {0};
    int r = pile_read(&pile, p, workloads_kind, name, e);
    if (r == 0) {
        const char *profile = pile_value(&pile, KEY_WORKLOAD_PROFILE);
        r = profile_load(p, str_empty(profile) ? PROFILE_OF_RUN : profile, s, e);
        if (r < 0)
            error_wrap(e, "%s", pile.files[0].path);
    }
    if (r == 0)
        r = pile_apply(&pile, s, e);
    pile_done(&pile);
    return r;
}

static int profile_entry_compare(const void *a, const void *b)
{
    return strcmp(((const struct profile_entry *)a)->name, ((const struct profile_entry *)b)->name);
}

static void profile_entry_look(const struct profile_path *p, const char *kind,
                               struct profile_entry *entry)
{
    struct settings s;
    struct error why;
    settings_init(&s);
    int r = str_equal(kind, profiles_kind) ? profile_load(p, entry->name, &s, &why)
                                           : workload_load(p, entry->name, &s, &why);
    entry->broken = r < 0;
    const char *description = settings_text(&s, KEY_PROFILE_DESCRIPTION);
    entry->why = str_dup(r < 0 ? why.text : description ? description : "");
    settings_done(&s);
}

int profile_list(const struct profile_path *p, const char *kind, struct profile_entry **ret,
                 size_t *ret_count, struct error *e)
{
    struct profile_entry *list = NULL;
    size_t count = 0;
    autostrv char **seen = mem_zero(1, sizeof(char *)); /* masked ones too */
    for (size_t layer = LAYER_COUNT; layer-- > 0;) {
        autofree char *folder = layer_folder(p, layer, kind);
        autostrv char **names = NULL;
        if (!folder)
            continue;
        int r = layer_list(folder, &names, e);
        if (r < 0) {
            profile_list_free(list, count);
            return r;
        }
        for (char **one = names; *one; one++) {
            autofree char *name = str_ndup(*one, strlen(*one) - strlen(".ini"));
            if (strv_has(seen, name) || !form_is_name(name))
                continue;
            strv_add(&seen, name);
            autofree char *path = str_join_path(folder, *one);
            if (layer_is_mask(path))
                continue;
            list = mem_grow(list, count + 1, sizeof(*list));
            list[count++] = (struct profile_entry){.name = TAKE(name), .path = TAKE(path)};
        }
    }
    if (count)
        qsort(list, count, sizeof(*list), profile_entry_compare);
    for (size_t i = 0; i < count; i++)
        profile_entry_look(p, kind, &list[i]);
    *ret = list;
    *ret_count = count;
    return 0;
}

void profile_list_free(struct profile_entry *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(list[i].name);
        free(list[i].path);
        free(list[i].why);
    }
    free(list);
}
