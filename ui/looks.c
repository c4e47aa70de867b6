/* Looks as a theme's file writes them. */
#include "ui/paint.h"

const char *const ui_look_names[UI_LOOK_COUNT] = {
    [UI_PLAIN] = "plain",       [UI_TITLE] = "title", [UI_HEADING] = "heading",
    [UI_SELECTED] = "selected", [UI_QUIET] = "quiet", [UI_GOOD] = "good",
    [UI_WARN] = "warn",         [UI_BAD] = "bad",     [UI_MARKED] = "marked",
    [UI_GRAPH] = "graph",
};

/* 0 and false: there is no such colour. */
static bool colour_parse(const char *word, uint32_t *ret)
{
    static const char *const names[] = {"black", "red",     "green", "yellow",
                                        "blue",  "magenta", "cyan",  "white"};
    uint64_t n;
    bool bright = str_starts(word, "bright-");
    for (uint32_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_equal(word + (bright ? 7 : 0), names[i])) {
            *ret = 1 + i + (bright ? 8 : 0);
            return true;
        }
    if (str_equal(word, "default"))
        *ret = 0;
    else if (word[0] == '#' && strlen(word) == 7 && strspn(word + 1, "0123456789abcdefABCDEF") == 6)
        *ret = CELL_RGB | (uint32_t)strtoul(word + 1, NULL, 16);
    else if (str_to_uint(word, &n) == 0 && n < 256)
        *ret = 1 + (uint32_t)n;
    else
        return false;
    return true;
}

int ui_style_parse(const char *text, struct ui_style *ret, struct error *e)
{
    struct ui_style s = {0};
    autostrv char **words = strv_split(text, " \t");
    bool on = false;
    for (size_t i = 0; words && words[i]; i++) {
        const char *w = words[i];
        if (str_equal(w, "on"))
            on = true;
        else if (str_equal(w, "bold"))
            s.bold = true;
        else if (str_equal(w, "dim"))
            s.dim = true;
        else if (str_equal(w, "reverse"))
            s.reverse = true;
        else if (str_equal(w, "underline"))
            s.underline = true;
        else if (!colour_parse(w, on ? &s.bg : &s.fg))
            return error_set(e, EINVAL,
                             "\"%s\" is no colour: black, red, green, yellow, blue, magenta, cyan, "
                             "white, bright-…, default, 0 to 255 or #rrggbb; then bold, dim, "
                             "reverse, underline",
                             w);
    }
    *ret = s;
    return 0;
}
