#include "app/cli/out.h"

#include <stdio.h>
#include <unistd.h>

char *out_text(const char *s)
{
    return s ? str_escape_z(s) : str_dup("-");
}

/* Columns a text takes: East Asian wide characters and pictures two, combining ones none. */
static size_t out_width(const char *s)
{
    size_t width = 0, size = strlen(s);
    for (size_t i = 0, length; i < size; i += length) {
        uint32_t c = 0;
        length = str_utf8_decode(s + i, size - i, &c);
        if (!length)
            length = 1;
        bool none = c >= 0x300 && c <= 0x36f;
        bool wide = (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
                    (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
                    (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
                    (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd);
        width += none ? 0 : wide ? 2 : 1;
    }
    return width;
}

static size_t out_columns(const struct out_table *t)
{
    return strv_length((char *const *)t->columns);
}

void out_table_add(struct out_table *t, const char *const *cells)
{
    size_t columns = out_columns(t);
    if (t->count + columns > t->room) {
        t->room = (t->count + columns) * 2;
        t->cells = mem_grow(t->cells, t->room, sizeof(char *));
    }
    for (size_t i = 0; i < columns; i++)
        t->cells[t->count++] = out_text(str_empty(cells[i]) ? NULL : cells[i]);
}

static void out_row(const struct out_table *t, const char *const *cells, const size_t *widths)
{
    size_t columns = out_columns(t);
    for (size_t i = 0; i < columns; i++) {
        const char *cell = cells[i];
        bool right = t->columns[i][0] == '>';
        if (cells == t->columns && right)
            cell++;
        int fill = (int)(widths[i] - out_width(cell));
        if (right)
            printf("%*s%s", fill, "", cell);
        else if (i + 1 < columns)
            printf("%s%*s", cell, fill, "");
        else
            printf("%s", cell);
        printf("%s", i + 1 < columns ? "  " : "\n");
    }
}

void out_table_print(const struct out_table *t)
{
    size_t columns = out_columns(t);
    autofree size_t *widths = mem_zero(columns, sizeof(size_t));
    for (size_t i = 0; i < columns; i++)
        widths[i] = out_width(t->columns[i]) - (t->columns[i][0] == '>');
    for (size_t i = 0; i < t->count; i++)
        widths[i % columns] = MAX(widths[i % columns], out_width(t->cells[i]));
    printf("%s", out_colour(OUT_BOLD));
    out_row(t, t->columns, widths);
    printf("%s", out_colour(OUT_PLAIN));
    for (size_t i = 0; i < t->count; i += columns)
        out_row(t, (const char *const *)t->cells + i, widths);
}

void out_table_done(struct out_table *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->cells[i]);
    free(t->cells);
    *t = (struct out_table){0};
}

void out_line(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

static void out_dump(json_t *object, size_t flags)
{
    json_t *whole = json_pack("{s:i}", "version", OUT_JSON_VERSION);
    json_object_update(whole, object);
    json_decref(object);
    /* ASCII alone, so that nothing in a string can steer a terminal */
    json_dumpf(whole, stdout, flags | JSON_ENSURE_ASCII);
    putchar('\n');
    json_decref(whole);
}

void out_json(json_t *object)
{
    out_dump(object, JSON_INDENT(2));
}

void out_json_line(json_t *object)
{
    out_dump(object, JSON_COMPACT);
    fflush(stdout);
}

json_t *out_json_string(const char *s)
{
    if (!s)
        return json_null();
    json_t *string = json_string(s);
    if (string)
        return string;
    autofree char *escaped = str_escape_z(s);
    return json_string(escaped);
}

json_t *out_json_strings(char *const *v)
{
    json_t *array = json_array();
    for (; v && *v; v++)
        json_array_append_new(array, out_json_string(*v));
    return array;
}

static bool out_is_coloured(void)
{
    static int known = -1;
    if (known < 0) {
        const char *term = getenv("TERM");
        known = str_empty(getenv("NO_COLOR")) && !str_empty(term) && !str_equal(term, "dumb") &&
                isatty(STDOUT_FILENO);
    }
    return known;
}

const char *out_colour(enum out_colour c)
{
    static const char *const sequences[] = {
        [OUT_PLAIN] = "\033[0m", [OUT_BOLD] = "\033[1m",   [OUT_DIM] = "\033[2m",
        [OUT_RED] = "\033[31m",  [OUT_GREEN] = "\033[32m", [OUT_YELLOW] = "\033[33m",
        [OUT_BLUE] = "\033[34m",
    };
    return out_is_coloured() ? sequences[c] : "";
}

bool out_confirm(bool force, const char *fmt, ...)
{
    if (force)
        return true;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return false;
    va_list ap;
    va_start(ap, fmt);
    autofree char *text = str_vformat(fmt, ap);
    va_end(ap);
    fflush(stdout);
    fprintf(stderr, "%s [y/N] ", text);
    char answer[16];
    if (!fgets(answer, sizeof(answer), stdin))
        return false;
    const char *word = str_trim(answer);
    return str_equal(word, "y") || str_equal(word, "yes") || str_equal(word, "Y");
}
