#include "app/cli/open_show.h"

#include "app/cli/out.h"
#include "base/str.h"

#include <inttypes.h>
#include <sys/stat.h>

enum { SHOWN_NAMES = 12 };

#define BOLD "\033[1m"
#define DIM "\033[2m"
#define YELLOW "\033[33m"
#define OFF "\033[0m"

static const struct {
    unsigned note;
    const char *key, *words;
} archive_words[] = {
    {ARCHIVE_OUTSIDE,      "outside",      "paths that would leave the folder it is unpacked in"},
    {ARCHIVE_LINK_OUTSIDE, "link-outside", "links that lead out of it"                          },
    {ARCHIVE_SETID,        "set-id",       "set-user-id or set-group-id files"                  },
    {ARCHIVE_DEVICE,       "device",       "device nodes"                                       },
    {ARCHIVE_PROGRAM,      "program",      "programs"                                           },
};

struct page {
    FILE *to;
    bool colour;
};

static const char *paint(const struct page *p, const char *sgr)
{
    return p->colour ? sgr : "";
}

static void line(const struct page *p, const char *head, const char *raw)
{
    autofree char *text = str_escape_z(raw);
    fprintf(p->to, "  %s%-11s%s%s\n", paint(p, DIM), head, paint(p, OFF), text);
}

static void warn(const struct page *p, const char *raw)
{
    autofree char *text = str_escape_z(raw);
    fprintf(p->to, "  %s! %s%s\n", paint(p, YELLOW), text, paint(p, OFF));
}

static void show_names(const struct page *p, const struct archive_list *a)
{
    char size[32];
    for (size_t i = 0; i < a->count && i < SHOWN_NAMES; i++) {
        const struct archive_name *n = &a->list[i];
        autofree char *path = str_escape_z(n->path);
        autofree char *link = n->link ? str_escape_z(n->link) : NULL;
        bool file = S_ISREG(n->mode);
        fprintf(p->to, "    %s%10s%s  %s%s%s%s\n", paint(p, DIM),
                file ? str_from_size(n->size, size, sizeof(size)) : "", paint(p, OFF), path,
                link ? " -> " : "", link ? link : "",
                file && n->notes & ARCHIVE_PROGRAM ? " *" : "");
    }
    if (a->entries > SHOWN_NAMES)
        fprintf(p->to, "    … and %" PRIu64 " more\n", a->entries - SHOWN_NAMES);
}

static void show_archive(const struct page *p, const struct look *l, const struct archive_list *a)
{
    char size[32];
    autofree char *sum = str_format("%" PRIu64 " entries, %s unpacked%s", a->entries,
                                    str_from_size(a->bytes, size, sizeof(size)),
                                    a->cut ? ", and more that was not read" : "");
    line(p, "holds", sum);
    show_names(p, a);
    for (size_t i = 0; i < ARRAY_SIZE(archive_words); i++) {
        if (!(a->notes & archive_words[i].note) || archive_words[i].note == ARCHIVE_PROGRAM)
            continue;
        autofree char *text = str_format("it holds %s", archive_words[i].words);
        warn(p, text);
    }
    if (l->size && a->bytes / l->size >= 200 && a->bytes > UINT64_C(1) << 30)
        warn(p, "unpacked it is more than 200 times its size: it may be meant to fill the disk");
    if (a->why) {
        autofree char *text = str_format("it could not be read to its end: %s", a->why);
        warn(p, text);
    }
}

void open_show(FILE *to, const char *path, const struct look *l, const struct archive_list *archive,
               const char *unlisted, bool colour)
{
    const struct page p = {.to = to, .colour = colour};
    char size[32];
    autofree char *shown = str_escape_z(path);
    fprintf(to, "%s%s%s: %s", paint(&p, BOLD), shown, paint(&p, OFF), l->what);
    if (l->kind != LOOK_FOLDER)
        fprintf(to, ", %s", str_from_size(l->size, size, sizeof(size)));
    fputc('\n', to);
    if (l->sha256[0])
        line(&p, "SHA-256", l->sha256);
    if (l->url)
        line(&p, "from", l->url);
    if (l->referrer)
        line(&p, "linked at", l->referrer);
    if (l->marked && !l->url)
        line(&p, "from", "the web, says its mark");
    if (l->signature) {
        autofree char *text = str_format("%s lies beside it, not verified here", l->signature);
        line(&p, "signature", text);
    }
    for (size_t i = 0; l->notes && l->notes[i]; i++)
        fprintf(to, "  %s! %s%s\n", paint(&p, YELLOW), l->notes[i], paint(&p, OFF));
    if (archive)
        show_archive(&p, l, archive);
    else if (unlisted)
        line(&p, "holds", unlisted);
}

static json_t *archive_json(const struct archive_list *a)
{
    json_t *list = json_array(), *notes = json_array();
    for (size_t i = 0; i < a->count; i++) {
        const struct archive_name *n = &a->list[i];
        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:i, s:I}", "path", out_json_string(n->path),
                                        "link", out_json_string(n->link), "mode",
                                        (int)(n->mode & 07777), "size", (json_int_t)n->size));
    }
    for (size_t i = 0; i < ARRAY_SIZE(archive_words); i++)
        if (a->notes & archive_words[i].note)
            json_array_append_new(notes, json_string(archive_words[i].key));
    return json_pack("{s:I, s:I, s:b, s:o, s:o, s:o}", "entries", (json_int_t)a->entries, "bytes",
                     (json_int_t)a->bytes, "cut", a->cut, "notes", notes, "error",
                     out_json_string(a->why), "list", list);
}

json_t *open_show_json(const char *path, const struct look *l, const struct archive_list *archive)
{
    json_t *o = json_object();
    json_object_set_new(o, "path", out_json_string(path));
    json_object_set_new(o, "kind", json_string(look_kind_name(l->kind)));
    json_object_set_new(o, "type", l->type ? json_string(l->type) : json_null());
    json_object_set_new(o, "what", out_json_string(l->what));
    json_object_set_new(o, "size", json_integer((json_int_t)l->size));
    json_object_set_new(o, "sha256", l->sha256[0] ? json_string(l->sha256) : json_null());
    json_object_set_new(o, "loader", out_json_string(l->loader));
    json_object_set_new(o, "url", out_json_string(l->url));
    json_object_set_new(o, "referrer", out_json_string(l->referrer));
    json_object_set_new(o, "marked", json_boolean(l->marked));
    json_object_set_new(o, "signature", out_json_string(l->signature));
    json_object_set_new(o, "notes", out_json_strings(l->notes));
    json_object_set_new(o, "archive", archive ? archive_json(archive) : json_null());
    return o;
}
