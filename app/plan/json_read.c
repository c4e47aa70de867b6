/* The plan from JSON: strict, and bounded by what a plan can hold. */
#include "app/plan/fields.h"
#include "app/plan/json_scan.h"

enum { READ_ITEMS_MAX = 65536 };

static int read_texts(struct scan *s, char ***ret)
{
    size_t count = 0, room = 8;
    char **v = mem_zero(room + 1, sizeof(char *));
    bool first = true;
    int r;
    while ((r = scan_next(s, '[', ']', &first)) > 0) {
        if (count == room) {
            room *= 2;
            v = mem_grow(v, room + 1, sizeof(char *));
        }
        v[count] = v[count + 1] = NULL;
        r = count < READ_ITEMS_MAX ? scan_text(s, &v[count]) : -EINVAL;
        if (r < 0)
            break;
        count++;
    }
    if (r < 0)
        strv_free(v);
    else
        *ret = v;
    return r;
}

static int read_u64(struct scan *s, uint64_t *ret)
{
    char word[16];
    if (scan_word(s, word, sizeof(word)) < 0)
        return scan_number(s, INT64_MAX, ret);
    if (!str_equal(word, "unlimited"))
        return -EINVAL;
    *ret = UINT64_MAX;
    return 0;
}

static int read_uint(struct scan *s, uint64_t most, uint32_t *ret)
{
    uint64_t n;
    int r = scan_number(s, most, &n);
    if (r == 0)
        *ret = (uint32_t)n;
    return r;
}

static int read_word(struct scan *s, const char *const *names, uint32_t *ret)
{
    char word[32];
    int at = scan_word(s, word, sizeof(word)) < 0 ? -1 : plan_name_find(names, word);
    if (at < 0)
        return -EINVAL;
    *ret = (uint32_t)at;
    return 0;
}

static int read_bits(struct scan *s, const char *const *names, uint64_t *ret)
{
    uint64_t bits = 0;
    bool first = true;
    int r;
    while ((r = scan_next(s, '[', ']', &first)) > 0) {
        uint32_t bit;
        if (read_word(s, names, &bit) < 0)
            return -EINVAL;
        bits |= 1ull << bit;
    }
    if (r == 0)
        *ret = bits;
    return r;
}

static int read_ids(struct scan *s, uint32_t **ret, size_t *ret_count)
{
    bool first = true;
    int r;
    while ((r = scan_next(s, '[', ']', &first)) > 0) {
        if (*ret_count == READ_ITEMS_MAX)
            return -EINVAL;
        *ret = mem_grow(*ret, *ret_count + 1, sizeof(uint32_t));
        if (read_uint(s, UINT32_MAX, &(*ret)[*ret_count]) < 0)
            return -EINVAL;
        ++*ret_count;
    }
    return r;
}

static int read_origins(struct scan *s, char **origins)
{
    char name[64];
    bool first = true;
    int r;
    while ((r = scan_next(s, '{', '}', &first)) > 0) {
        if (scan_name(s, name, sizeof(name)) < 0)
            return -EINVAL;
        char *dot = strchr(name, '.');
        if (!dot)
            return -EINVAL;
        *dot = '\0';
        enum key_id k = key_find(name, dot + 1);
        if (k == KEY_COUNT || origins[k] || scan_text(s, &origins[k]) < 0)
            return -EINVAL;
    }
    return r;
}

static int read_rlimit(struct scan *s, const char **ret)
{
    uint32_t at;
    int r = read_word(s, plan_rlimit_names, &at);
    if (r == 0)
        *ret = plan_rlimit_names[at];
    return r;
}

static int read_rows(struct scan *s, char *base, const struct field *rows, struct error *e);

static int read_list(struct scan *s, char *base, const struct field *f, struct error *e)
{
    size_t *count = (size_t *)(base + f->count), room = f->most;
    char *items = f->most ? base + f->at : NULL;
    bool first = true;
    int r;
    while ((r = scan_next(s, '[', ']', &first)) > 0) {
        if (*count == (f->most ? f->most : READ_ITEMS_MAX))
            return error_set(e, EINVAL, "plan: \"%s\" is too long", f->name);
        if (*count == room) {
            room = room ? room * 2 : 16;
            items = mem_grow(items, room, f->size);
            *(char **)(base + f->at) = items;
        }
        char *item = items + *count * f->size;
        memset(item, 0, f->size);
        ++*count;
        r = read_rows(s, item, f->rows, e);
        if (r < 0)
            return error_wrap(e, "%s[%zu]", f->name, *count - 1);
    }
    return r < 0 ? error_set(e, EINVAL, "plan: \"%s\" is no list", f->name) : 0;
}

/* Everything but lists and objects, which word their own errors. */
static int read_scalar(struct scan *s, char *base, const struct field *f)
{
    char *at = base + f->at;
    uint64_t bits = 0;
    int r;
    switch (f->type) {
    case FIELD_TEXT:
        return scan_text(s, (char **)at);
    case FIELD_TEXTS:
        return read_texts(s, (char ***)at);
    case FIELD_BOOL:
        return scan_bool(s, (bool *)at);
    case FIELD_UINT:
        return read_uint(s, UINT32_MAX, (uint32_t *)at);
    case FIELD_INT:
        return read_uint(s, INT32_MAX, (uint32_t *)at);
    case FIELD_U64:
        return read_u64(s, (uint64_t *)at);
    case FIELD_WORD:
        return read_word(s, f->names, (uint32_t *)at);
    case FIELD_BITS:
        r = read_bits(s, f->names, &bits);
        *(uint32_t *)at = (uint32_t)bits;
        return r;
    case FIELD_BITS64:
        return read_bits(s, f->names, (uint64_t *)at);
    case FIELD_RLIMIT:
        return read_rlimit(s, (const char **)at);
    case FIELD_IDS:
        return read_ids(s, (uint32_t **)at, (size_t *)(base + f->count));
    case FIELD_ORIGINS:
        return read_origins(s, (char **)at);
    case FIELD_OBJECT:
    case FIELD_LIST:
        break;
    }
    return -EINVAL;
}

static int read_member(struct scan *s, char *base, const struct field *f, struct error *e)
{
    if (f->type == FIELD_OBJECT)
        return read_rows(s, base + f->at, f->rows, e);
    if (f->type == FIELD_LIST)
        return read_list(s, base, f, e);
    if (read_scalar(s, base, f) < 0)
        return error_set(e, EINVAL, "plan: \"%s\" has a wrong value", f->name);
    return 0;
}

/* The version stands first, so that nothing of another version is misread. */
static int read_version(struct scan *s, struct error *e)
{
    char name[16];
    uint64_t version;
    if (scan_name(s, name, sizeof(name)) < 0 || strcmp(name, "version") != 0 ||
        scan_number(s, UINT32_MAX, &version) < 0)
        return error_set(e, EINVAL, "plan: it does not begin with its \"version\"");
    if (version != PLAN_VERSION)
        return error_set(e, EINVAL, "plan: version %llu, this program has %d",
                         (unsigned long long)version, PLAN_VERSION);
    return 0;
}

static int read_missing(const struct field *rows, uint64_t seen, struct error *e)
{
    for (size_t i = 0; rows[i].name; i++)
        if (!(seen & (1ull << i)) && rows[i].type != FIELD_TEXT && !rows[i].brief)
            return error_set(e, EINVAL, "plan: \"%s\" is missing", rows[i].name);
    return 0;
}

/* An object whose members are the rows, in any order, each at most once. */
static int read_rows(struct scan *s, char *base, const struct field *rows, struct error *e)
{
    uint64_t seen = 0;
    size_t expected = 0; /* the writer's order makes the search short */
    bool first = true, version = rows == plan_fields;
    int r;
    while ((r = scan_next(s, '{', '}', &first)) > 0) {
        if (version) {
            version = false;
            r = read_version(s, e);
            if (r < 0)
                return r;
            continue;
        }
        char name[32];
        if (scan_name(s, name, sizeof(name)) < 0)
            return error_set(e, EINVAL, "plan: byte %zu: no member's name", s->at - s->start);
        size_t i = expected;
        while (rows[i].name && strcmp(rows[i].name, name) != 0)
            i++;
        for (i = rows[i].name ? i : 0; rows[i].name && strcmp(rows[i].name, name) != 0;)
            i++;
        if (!rows[i].name)
            return error_set(e, EINVAL, "plan: byte %zu: a member nobody knows", s->at - s->start);
        if (seen & (1ull << i))
            return error_set(e, EINVAL, "plan: \"%s\" stands there twice", rows[i].name);
        seen |= 1ull << i;
        expected = i;
        r = read_member(s, base, &rows[i], e);
        if (r < 0)
            return r;
    }
    if (r < 0)
        return error_set(e, EINVAL, "plan: byte %zu: broken", s->at - s->start);
    return read_missing(rows, seen, e);
}

/* What the rest of the program relies on being there. */
static int read_check(const struct plan *p, struct error *e)
{
    if (!p->id || !p->name || !p->profile || !p->runtime || !p->image || !p->cwd || !p->user_name ||
        !p->home || !p->hostname)
        return error_set(e, EINVAL, "plan: one of its names is missing");
    if (!p->argv || !p->argv[0])
        return error_set(e, EINVAL, "plan: it has no command");
    for (size_t i = 0; i < p->mounts_count; i++)
        if (!p->mounts[i].target || p->mounts[i].target[0] != '/')
            return error_set(e, EINVAL, "plan: mounts[%zu] has no absolute target", i);
    for (size_t i = 0; i < p->sysctls_count; i++)
        if (!p->sysctls[i].path || !p->sysctls[i].value)
            return error_set(e, EINVAL, "plan: sysctls[%zu] is not whole", i);
    return 0;
}

int plan_from_json(const char *json, size_t size, struct plan **ret, struct error *e)
{
    struct scan s = {.start = json, .at = json, .end = json + size};
    struct plan *p = NEW(struct plan);
    int r = read_rows(&s, (char *)p, plan_fields, e);
    if (r == 0 && !scan_done(&s))
        r = error_set(e, EINVAL, "plan: byte %zu: more than a plan", s.at - s.start);
    if (r == 0)
        r = read_check(p, e);
    if (r < 0) {
        plan_free(p);
        return r;
    }
    *ret = p;
    return 0;
}
