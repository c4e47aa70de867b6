#include "backends/changes_json.h"

#include "base/str.h"

#include <stdio.h>
#include <sys/stat.h>

enum { REPORT_MOST = 500, FROM_JSON_MOST = 100000 };

static const char *const kind_names[] = {
    [CHANGE_ADDED] = "added",
    [CHANGE_CHANGED] = "changed",
    [CHANGE_DELETED] = "deleted",
};

static const struct {
    unsigned bit;
    const char *name;
} note_names[] = {
    {CHANGE_SETID,      "set-id"           },
    {CHANGE_CAPABILITY, "file capabilities"},
    {CHANGE_DEVICE,     "device"           },
    {CHANGE_STARTUP,    "starts by itself" },
    {CHANGE_KEY,        "key or account"   },
    {CHANGE_EXECUTABLE, "executable"       },
};

static const struct {
    mode_t type;
    const char *name;
} type_names[] = {
    {S_IFREG,  "file"            },
    {S_IFDIR,  "folder"          },
    {S_IFLNK,  "link"            },
    {S_IFCHR,  "character device"},
    {S_IFIFO,  "fifo"            },
    {S_IFBLK,  "block device"    },
    {S_IFSOCK, "socket"          },
};

const char *change_kind_name(enum change_kind k)
{
    return kind_names[k];
}

const char *change_note_name(unsigned bit)
{
    for (size_t i = 0; i < ARRAY_SIZE(note_names); i++)
        if (note_names[i].bit == bit)
            return note_names[i].name;
    return NULL;
}

/* As str_escape(), and a backslash of the name's own too, so that there is a way back. Owned. */
static char *path_escape(const char *path)
{
    autobuf b = {0};
    for (;; path++) {
        size_t n = strcspn(path, "\\");
        autofree char *piece = str_escape(path, n);
        buf_puts(&b, piece);
        path += n;
        if (!*path)
            return buf_take(&b);
        buf_puts(&b, "\\x5c");
    }
}

/* One escaped character at `*s`, which moves behind it: 0, or 1 with its bytes appended. */
static bool path_take_escaped(const char **s, struct buf *to)
{
    char utf8[4], *end;
    bool wide = (*s)[1] == 'u' && (*s)[2] == '{';
    if (!wide && (*s)[1] != 'x')
        return false;
    const char *digits = *s + (wide ? 3 : 2);
    size_t n = strspn(digits, "0123456789abcdef");
    if (n < 1 || n > 6)
        return false;
    autofree char *number = str_ndup(digits, wide ? n : MIN(n, (size_t)2));
    unsigned long c = strtoul(number, &end, 16);
    size_t size = wide ? str_utf8_encode((uint32_t)c, utf8) : 1;
    if (!wide)
        utf8[0] = (char)c;
    buf_add(to, utf8, size);
    *s = digits + strlen(number) + wide;
    return size > 0 && (!wide || digits[n] == '}');
}

/* Back again; NULL if path_escape() has not written it: no '/', '.' or NUL comes in this way. */
static char *path_unescape(const char *text)
{
    autobuf b = {0};
    for (const char *s = text; *s;)
        if (*s != '\\')
            buf_putc(&b, *s++);
        else if (!path_take_escaped(&s, &b))
            return NULL;
    autofree char *path = buf_take(&b), *again = path_escape(path);
    return str_equal(again, text) ? TAKE(path) : NULL;
}

static json_t *change_to_json(const struct change *c)
{
    json_t *o = json_object();
    json_object_set_new(o, "kind", json_string(kind_names[c->kind]));
    json_t *path = json_string(c->path);
    if (!path) {
        autofree char *escaped = path_escape(c->path);
        path = json_string(escaped);
        json_object_set_new(o, "escaped", json_true());
    }
    json_object_set_new(o, "path", path);
    for (size_t i = 0; i < ARRAY_SIZE(type_names); i++)
        if (c->kind != CHANGE_DELETED && type_names[i].type == (c->mode & S_IFMT))
            json_object_set_new(o, "type", json_string(type_names[i].name));
    if (c->kind != CHANGE_DELETED) {
        char mode[8];
        snprintf(mode, sizeof(mode), "%04o", (unsigned)(c->mode & 07777));
        json_object_set_new(o, "mode", json_string(mode));
        json_object_set_new(o, "size", json_integer((json_int_t)c->size));
    }
    json_t *notes = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(note_names); i++)
        if (c->notes & note_names[i].bit)
            json_array_append_new(notes, json_string(note_names[i].name));
    json_object_set_new(o, "notes", notes);
    return o;
}

json_t *changes_to_json(const struct changes *c)
{
    json_t *o = json_object(), *list = json_array();
    for (size_t i = 0; i < c->count; i++)
        json_array_append_new(list, change_to_json(&c->list[i]));
    json_object_set_new(o, "list", list);
    json_object_set_new(o, "cut", json_boolean(c->cut));
    json_object_set_new(o, "bytes", json_integer((json_int_t)c->bytes));
    json_object_set_new(o, "unreadable", json_integer((json_int_t)c->unreadable));
    return o;
}

char *changes_report(int scratch)
{
    struct changes c;
    struct error ignored;
    if (changes_read(scratch, REPORT_MOST, &c, &ignored) < 0)
        return NULL;
    json_t *o = changes_to_json(&c);
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    changes_done(&c);
    return text;
}

static void change_from_json(const json_t *o, struct change *c)
{
    const char *kind = json_string_value(json_object_get(o, "kind"));
    const char *path = json_string_value(json_object_get(o, "path"));
    const char *type = json_string_value(json_object_get(o, "type"));
    const char *mode = json_string_value(json_object_get(o, "mode"));
    bool escaped = path && json_is_true(json_object_get(o, "escaped"));
    *c = (struct change){.path = escaped ? path_unescape(path) : NULL, .kind = CHANGE_ADDED};
    if (!c->path)
        c->path = str_dup(path ? path : "?");
    for (size_t i = 0; kind && i < ARRAY_SIZE(kind_names); i++)
        if (strcmp(kind_names[i], kind) == 0)
            c->kind = (enum change_kind)i;
    if (mode)
        c->mode = (mode_t)strtoul(mode, NULL, 8) & 07777;
    for (size_t i = 0; type && i < ARRAY_SIZE(type_names); i++)
        if (strcmp(type_names[i].name, type) == 0)
            c->mode |= type_names[i].type;
    c->size = (uint64_t)json_integer_value(json_object_get(o, "size"));
    size_t n;
    json_t *note;
    json_array_foreach(json_object_get(o, "notes"), n,
                       note) for (size_t i = 0; i < ARRAY_SIZE(note_names);
                                  i++) if (str_equal(json_string_value(note), note_names[i].name))
        c->notes |= note_names[i].bit;
}

int changes_from_json(const json_t *o, struct changes *ret)
{
    const json_t *list = json_object_get(o, "list");
    if (!json_is_array(list))
        return -EBADMSG;
    size_t count = MIN(json_array_size(list), (size_t)FROM_JSON_MOST);
    *ret = (struct changes){
        .list = mem_zero(count, sizeof(struct change)),
        .count = count,
        .cut = json_is_true(json_object_get(o, "cut")) || count < json_array_size(list),
        .bytes = (uint64_t)json_integer_value(json_object_get(o, "bytes")),
        .unreadable = (uint64_t)json_integer_value(json_object_get(o, "unreadable")),
    };
    for (size_t i = 0; i < count; i++)
        change_from_json(json_array_get(list, i), &ret->list[i]);
    return 0;
}
