/* What the keys do, as they are now; first those of where it was asked for. */
#include "ui/update_inner.h"

enum ui_where ui_where(const struct ui_model *m)
{
    static const enum ui_where pages[UI_PAGE_COUNT] = {
        [UI_PAGE_LIST] = UI_IN_LIST,     [UI_PAGE_PROFILES] = UI_IN_PROFILES,
        [UI_PAGE_IMAGES] = UI_IN_IMAGES, [UI_PAGE_HOST] = UI_IN_HOST,
        [UI_PAGE_GRAPHS] = UI_IN_GRAPHS, [UI_PAGE_TEXT] = UI_IN_TEXT,
    };
    return pages[m->page];
}

// clang-format off
static const struct {
    enum ui_where where;
    const char *title, *more; /* more: what is no key of [keys] */
} sections[] = {
    {UI_IN_LIST, "Workloads",
     "  F4 filter  F5 arrange  F6 sort  F7 pause  F8 stop  F9 kill, as in htop\n"},
    {UI_IN_CONSOLE, "Console: every key is the workload's, but for the one behind ctrl-]",
     "  ctrl-] (or what the profile names in console.detach-keys), then\n"
     "  Tab      back to the list\n"
     "  ctrl-]   a ctrl-] for the workload\n"
     "  the wheel looks back, dragging copies\n"},
    {UI_IN_COPY, "Looking back in a console", "  Esc      back to what it shows now\n"},
    {UI_IN_PROFILES, "Profiles", ""},
    {UI_IN_IMAGES, "Images", ""},
    {UI_IN_GRAPHS, "Graphs", "  Up Down  another workload\n"},
    {UI_IN_HOST, "This machine", "  Esc      back\n"},
    {UI_IN_TEXT, "Text", ""},
    {UI_IN_SHEET, "Launch sheet", "  Esc      back; what was typed stays\n"},
};
// clang-format on

/* Those of this place alone, or those of all. */
static void keys_of(const struct ui_model *m, unsigned where, bool everywhere, struct buf *b)
{
    char name[16];
    for (const struct ui_action *a = ui_actions; a->name; a++) {
        bool all = (a->where & UI_IN_PAGES) == UI_IN_PAGES;
        if ((a->where & where) && all == everywhere)
            buf_printf(b, "  %-8s %s\n", ui_bindings_name(&m->bindings, a->where, a->key, name),
                       a->help);
    }
}

static void section(const struct ui_model *m, size_t i, struct buf *b)
{
    buf_printf(b, "%s%s\n", b->used ? "\n" : "", sections[i].title);
    keys_of(m, sections[i].where, false, b);
    buf_puts(b, sections[i].more);
}

void update_help(struct ui_model *m, enum ui_where where)
{
    autobuf b = {0};
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
        if (sections[i].where == where)
            section(m, i, &b);
    buf_puts(&b, "\nEverywhere\n");
    keys_of(m, UI_IN_PAGES, true, &b);
    buf_puts(&b, "  Esc      one step out, always\n"
                 "  ctrl-z   to the shell for a while; fg leads back\n"
                 "  F1 help  F10 leave\n");
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
        if (sections[i].where != where)
            section(m, i, &b);
    buf_puts(&b, "\n:tour shows the tour of the first start again.\n"
                 "Keys, colours and the rest: interface.ini, see cofferdam(1).\n");
    ui_model_text(m, "help", b.data);
}
