/* The plan from JSON: strict, and bounded by what a plan can hold. */
#include "app/plan/fields.h"
#include "app/plan/json_bytes.h"

#include <jansson.h>

enum { READ_ITEMS_MAX = 65536 };

/* Undoes the private characters of json.c in place of a copy. */
static char *read_bytes(const char *s, size_t size)
{
    char *bytes = mem_alloc(size + 1);
    size_t used = 0;
    while (size) {
        uint32_t c;
        size_t length = (unsigned char)*s < 0x80 ? 1 : str_utf8_decode(s, size, &c);
        if (length > 1 && c >= JSON_BYTE_FIRST && c <= JSON_BYTE_LAST) {
            bytes[used++] = (char)(c - JSON_BYTE_FIRST);
        } else {
            length = length ? length : 1;
            memcpy(bytes + used, s, length);
            used += length;
        }
        s += length;
        size -= length;
    }
    bytes[used] = '\0';
    return bytes;
}

/* A string without NUL; -EINVAL. */
static int read_text(const json_t *j, char **ret)
{
    if (!json_is_string(j))
        return -EINVAL;
    const char *s = json_string_value(j);
    size_t size = json_string_length(j);
    char *text = read_bytes(s, size);
    if (strlen(s) != size) {
        free(text);
        return -EINVAL;
    }
    free(*ret);
    *ret = text;
    return 0;
}

static int read_texts(const json_t *j, char ***ret)
{
    if (!json_is_array(j) || json_array_size(j) > READ_ITEMS_MAX)
        return -EINVAL;
    char **v = mem_zero(json_array_size(j) + 1, sizeof(char *));
    for (size_t i = 0; i < json_array_size(j); i++) {
        if (read_text(json_array_get(j, i), &v[i]) < 0) {
            strv_free(v);
            return -EINVAL;
        }
    }
    strv_free(*ret);
    *ret = v;
    return 0;
}

static int read_number(const json_t *j, uint64_t most, uint64_t *ret)
{
    if (!json_is_integer(j) || json_integer_value(j) < 0 || (uint64_t)json_integer_value(j) > most)
        return -EINVAL;
    *ret = (uint64_t)json_integer_value(j);
    return 0;
}

static int read_u64(const json_t *j, uint64_t *ret)
{
    if (json_is_string(j) && str_equal(json_string_value(j), "unlimited")) {
        *ret = UINT64_MAX;
        return 0;
    }
    return read_number(j, INT64_MAX, ret);
}

static int read_uint(const json_t *j, uint64_t most, uint32_t *ret)
{
    uint64_t n;
    int r = read_number(j, most, &n);
    if (r == 0)
        *ret = (uint32_t)n;
    return r;
}

static int read_word(const json_t *j, const char *const *names, uint32_t *ret)
{
    int at = json_is_string(j) ? plan_name_find(names, json_string_value(j)) : -1;
    if (at < 0)
        return -EINVAL;
    *ret = (uint32_t)at;
    return 0;
}

static int read_bits(const json_t *j, const char *const *names, uint64_t *ret)
{
    if (!json_is_array(j))
        return -EINVAL;
    uint64_t bits = 0;
    for (size_t i = 0; i < json_array_size(j); i++) {
        uint32_t bit;
        if (read_word(json_array_get(j, i), names, &bit) < 0)
            return -EINVAL;
        bits |= 1ull << bit;
    }
    *ret = bits;
    return 0;
}

static int read_ids(const json_t *j, uint32_t **ret, size_t *ret_count)
{
    size_t count = json_array_size(j);
    if (!json_is_array(j) || count > READ_ITEMS_MAX)
        return -EINVAL;
    free(*ret);
    *ret = mem_zero(count + 1, sizeof(uint32_t));
    *ret_count = count;
    for (size_t i = 0; i < count; i++)
        if (read_uint(json_array_get(j, i), UINT32_MAX, &(*ret)[i]) < 0)
            return -EINVAL;
    return 0;
}

static int read_origins(const json_t *j, char **origins)
{
    const char *name;
    json_t *value;
    if (!json_is_object(j))
        return -EINVAL;
    json_object_foreach((json_t *)j, name, value)
    {
        const char *dot = strchr(name, '.');
        autofree char *section = str_ndup(name, dot ? (size_t)(dot - name) : 0);
        enum key_id k = dot ? key_find(section, dot + 1) : KEY_COUNT;
        if (k == KEY_COUNT || read_text(value, &origins[k]) < 0)
            return -EINVAL;
    }
    return 0;
}

static int read_rows(const json_t *j, char *base, const struct field *rows, struct error *e);

static int read_list(const json_t *j, char *base, const struct field *f, struct error *e)
{
    size_t count = json_array_size(j), *counted = (size_t *)(base + f->count);
    if (!json_is_array(j) || count > (f->most ? f->most : READ_ITEMS_MAX))
        return error_set(e, EINVAL, "plan: \"%s\" is no list that fits", f->name);
    char *items = base + f->at;
    if (!f->most) {
        items = mem_zero(count + 1, f->size);
        *(char **)(base + f->at) = items;
    }
    for (size_t i = 0; i < count; i++) {
        *counted = i + 1;
        int r = read_rows(json_array_get(j, i), items + i * f->size, f->rows, e);
        if (r < 0)
            return error_wrap(e, "%s[%zu]", f->name, i);
    }
    return 0;
}

static int read_rlimit(const json_t *j, const char **ret)
{
    uint32_t at;
    int r = read_word(j, plan_rlimit_names, &at);
    if (r == 0)
        *ret = plan_rlimit_names[at];
    return r;
}

/* Everything but lists and objects, which word their own errors. */
static int read_scalar(const json_t *j, char *base, const struct field *f)
{
    char *at = base + f->at;
    uint64_t bits = 0;
    int r;
    switch (f->type) {
    case FIELD_TEXT:
        return read_text(j, (char **)at);
    case FIELD_TEXTS:
        return read_texts(j, (char ***)at);
    case FIELD_BOOL:
        *(bool *)at = json_is_true(j);
        return json_is_boolean(j) ? 0 : -EINVAL;
    case FIELD_UINT:
        return read_uint(j, UINT32_MAX, (uint32_t *)at);
    case FIELD_INT:
        return read_uint(j, INT32_MAX, (uint32_t *)at);
    case FIELD_U64:
        return read_u64(j, (uint64_t *)at);
    case FIELD_WORD:
        return read_word(j, f->names, (uint32_t *)at);
    case FIELD_BITS:
        r = read_bits(j, f->names, &bits);
        *(uint32_t *)at = (uint32_t)bits;
        return r;
    case FIELD_BITS64:
        return read_bits(j, f->names, (uint64_t *)at);
    case FIELD_RLIMIT:
        return read_rlimit(j, (const char **)at);
    case FIELD_IDS:
        return read_ids(j, (uint32_t **)at, (size_t *)(base + f->count));
    case FIELD_ORIGINS:
        return read_origins(j, (char **)at);
    case FIELD_OBJECT:
    case FIELD_LIST:
        break;
    }
    return -EINVAL;
}

static int read_rows(const json_t *j, char *base, const struct field *rows, struct error *e)
{
    if (!json_is_object(j))
        return error_set(e, EINVAL, "plan: no object");
    size_t known = 0;
    for (const struct field *f = rows; f->name; f++) {
        const json_t *value = json_object_get(j, f->name);
        bool may_be_absent = f->type == FIELD_TEXT || f->brief;
        if (!value && may_be_absent)
            continue;
        if (!value)
            return error_set(e, EINVAL, "plan: \"%s\" is missing", f->name);
        known++;
        int r = 0;
        if (f->type == FIELD_OBJECT)
            r = read_rows(value, base + f->at, f->rows, e);
        else if (f->type == FIELD_LIST)
            r = read_list(value, base, f, e);
        else if (read_scalar(value, base, f) < 0)
            r = error_set(e, EINVAL, "plan: \"%s\" has a wrong value", f->name);
        if (r < 0)
            return r;
    }
    if (rows == plan_fields)
        known++; /* "version" */
    if (known != json_object_size(j))
        return error_set(e, EINVAL, "plan: it has members nobody knows");
    return 0;
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
    json_error_t why;
    json_t *j = json_loadb(json, size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &why);
    if (!j)
        return error_set(e, EINVAL, "plan: line %d: %s", why.line, why.text);
    struct plan *p = NEW(struct plan);
    uint64_t version;
    int r;
    if (read_number(json_object_get(j, "version"), UINT32_MAX, &version) < 0)
        r = error_set(e, EINVAL, "plan: \"version\" is missing");
    else if (version != PLAN_VERSION)
        r = error_set(e, EINVAL, "plan: version %llu, this program has %d",
                      (unsigned long long)version, PLAN_VERSION);
    else
        r = read_rows(j, (char *)p, plan_fields, e);
    json_decref(j);
    if (r == 0)
        r = read_check(p, e);
    if (r < 0) {
        plan_free(p);
        return r;
    }
    *ret = p;
    return 0;
}
