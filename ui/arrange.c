/* What the list shows and in which order: filtered, sorted, as a tree or in groups. */
#include "ui/columns.h"
#include "ui/filter.h"

struct arranging {
    const struct ui_model *m;
    size_t *rows; /* owned; of those that pass, sorted */
    size_t count;
    struct ui_item *items; /* owned */
    size_t items_count;
    bool *placed; /* owned; as long as `rows` */
};

static int by_id(const void *a, const void *b, void *data)
{
    const struct ui_model *m = data;
    return strcmp(m->list[*(const size_t *)a].id, m->list[*(const size_t *)b].id);
}

static int by_sort(const void *a, const void *b, void *data)
{
    const struct ui_model *m = data;
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    int order = m->sort == UI_COL_COUNT
                    ? 0
                    : ui_column_compare(&m->list[x], &m->list[y], (enum ui_column)m->sort);
    if (!order)
        order = x < y ? -1 : 1;
    return m->sort_turned ? -order : order;
}

static void put(struct arranging *a, struct ui_item item)
{
    a->items[a->items_count++] = item;
}

/* --- the tree: a workload, what was taken of it, what was started from that --- */

static void tree_snapshot(struct arranging *a, size_t index, int depth);

static void tree_row(struct arranging *a, size_t nth, int depth)
{
    size_t row = a->rows[nth];
    if (a->placed[nth])
        return;
    a->placed[nth] = true;
    put(a, (struct ui_item){.kind = UI_ITEM_ROW, .index = row, .depth = depth});
    for (size_t i = 0; i < a->m->snapshots_count; i++)
        if (str_equal(a->m->snapshots[i].workload, a->m->list[row].id))
            tree_snapshot(a, i, depth + 1);
}

static void tree_snapshot(struct arranging *a, size_t index, int depth)
{
    put(a, (struct ui_item){.kind = UI_ITEM_SNAPSHOT, .index = index, .depth = depth});
    for (size_t i = 0; i < a->count; i++)
        if (!a->placed[i] && str_equal(a->m->list[a->rows[i]].snapshot, a->m->snapshots[index].id))
            tree_row(a, i, depth + 1);
}

static bool snapshot_is(const struct ui_model *m, const char *id)
{
    for (size_t i = 0; id && i < m->snapshots_count; i++)
        if (str_equal(m->snapshots[i].id, id))
            return true;
    return false;
}

static bool row_is_shown(const struct arranging *a, const char *id)
{
    for (size_t i = 0; i < a->count; i++)
        if (str_equal(a->m->list[a->rows[i]].id, id))
            return true;
    return false;
}

static void arrange_tree(struct arranging *a)
{
    for (size_t i = 0; i < a->count; i++)
        if (!snapshot_is(a->m, a->m->list[a->rows[i]].snapshot))
            tree_row(a, i, 0);
    /* Templates whose workload is gone, or does not pass, stand for themselves. */
    for (size_t i = 0; i < a->m->snapshots_count; i++)
        if (!row_is_shown(a, a->m->snapshots[i].workload) && !a->m->filter.used)
            tree_snapshot(a, i, 0);
    for (size_t i = 0; i < a->count; i++)
        tree_row(a, i, 0);
}

/* --- groups --- */

static const char *group_of(const struct ui_model *m, size_t row)
{
    const struct ui_row *r = &m->list[row];
    switch (m->arrange) {
    case UI_ARRANGE_PROFILE:
        return r->profile;
    case UI_ARRANGE_BOUNDARY:
        return r->boundary;
    case UI_ARRANGE_LABEL:
        return r->labels && r->labels[0] ? r->labels[0] : "no label";
    case UI_ARRANGE_FLAT:
    case UI_ARRANGE_TREE:
    case UI_ARRANGE_COUNT:
        break;
    }
    return "";
}

static void arrange_groups(struct arranging *a)
{
    for (size_t i = 0; i < a->count; i++) {
        const char *group = group_of(a->m, a->rows[i]);
        if (a->placed[i])
            continue;
        size_t head = a->items_count;
        put(a, (struct ui_item){.kind = UI_ITEM_GROUP, .group = group});
        for (size_t k = i; k < a->count; k++) {
            if (a->placed[k] || !str_equal(group_of(a->m, a->rows[k]), group))
                continue;
            a->placed[k] = true;
            a->items[head].index++;
            put(a, (struct ui_item){.kind = UI_ITEM_ROW, .index = a->rows[k], .depth = 1});
        }
    }
}

/* --- all of it --- */

static void arrange_select(struct ui_model *m)
{
    if (ui_model_position(m) < m->items_count)
        return;
    size_t i = 0;
    while (i < m->items_count && m->items[i].kind == UI_ITEM_GROUP)
        i++;
    /* One that is only hidden by the filter is come back to. */
    if (i == m->items_count && m->selected && ui_model_row(m, m->selected))
        return;
    free(m->selected);
    m->selected = NULL;
    if (i < m->items_count)
        m->selected = str_dup(m->items[i].kind == UI_ITEM_ROW ? m->list[m->items[i].index].id
                                                              : m->snapshots[m->items[i].index].id);
}

void ui_model_arrange(struct ui_model *m)
{
    size_t most = m->count * 2 + m->snapshots_count + 1;
    struct arranging a = {
        .m = m,
        .rows = mem_zero(m->count + 1, sizeof(size_t)),
        .items = mem_zero(most, sizeof(struct ui_item)),
        .placed = mem_zero(m->count + 1, sizeof(bool)),
    };
    m->by_id = mem_grow(m->by_id, m->count + 1, sizeof(size_t));
    for (size_t i = 0; i < m->count; i++)
        m->by_id[i] = i;
    qsort_r(m->by_id, m->count, sizeof(size_t), by_id, m);
    struct ui_filter f;
    ui_filter_read(&f, m->filter.text);
    for (size_t i = 0; i < m->count; i++)
        if (ui_filter_passes(&f, &m->list[i]))
            a.rows[a.count++] = i;
    ui_filter_done(&f);
    qsort_r(a.rows, a.count, sizeof(size_t), by_sort, m);
    if (m->arrange == UI_ARRANGE_TREE)
        arrange_tree(&a);
    else if (m->arrange != UI_ARRANGE_FLAT)
        arrange_groups(&a);
    else
        for (size_t i = 0; i < a.count; i++)
            put(&a, (struct ui_item){.kind = UI_ITEM_ROW, .index = a.rows[i]});
    free(a.rows);
    free(a.placed);
    free(m->items);
    m->items = a.items;
    m->items_count = a.items_count;
    arrange_select(m);
}

size_t ui_model_position(const struct ui_model *m)
{
    for (size_t i = 0; m->selected && i < m->items_count; i++) {
        const struct ui_item *it = &m->items[i];
        if (it->kind != UI_ITEM_GROUP &&
            str_equal(m->selected,
                      it->kind == UI_ITEM_ROW ? m->list[it->index].id : m->snapshots[it->index].id))
            return i;
    }
    return m->items_count;
}

size_t ui_model_visible_count(const struct ui_model *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->items_count; i++)
        n += m->items[i].kind != UI_ITEM_GROUP;
    return n;
}

struct ui_row *ui_model_selected(const struct ui_model *m)
{
    size_t at = ui_model_position(m);
    return at < m->items_count && m->items[at].kind == UI_ITEM_ROW ? &m->list[m->items[at].index]
                                                                   : NULL;
}

const struct ui_snapshot *ui_model_snapshot(const struct ui_model *m)
{
    size_t at = ui_model_position(m);
    return at < m->items_count && m->items[at].kind == UI_ITEM_SNAPSHOT
               ? &m->snapshots[m->items[at].index]
               : NULL;
}

size_t ui_model_marked(const struct ui_model *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->count; i++)
        n += m->list[i].marked;
    return n;
}

size_t ui_list_from(const struct ui_model *m, int room)
{
    size_t at = ui_model_position(m), rows = (size_t)MAX(room, 1);
    return at < m->items_count && at >= rows ? at - rows + 1 : 0;
}
