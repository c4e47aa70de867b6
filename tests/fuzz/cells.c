/* A line from the wire: whatever is accepted can be shown, and is the same after another journey.
 */
#include "console/cells.h"
#include "console/width.h"

#include "base/mem.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static bool same(const struct cell *a, const struct cell *b)
{
    return memcmp(a->chars, b->chars, sizeof(a->chars)) == 0 && a->fg == b->fg && a->bg == b->bg &&
           a->attrs == b->attrs && a->width == b->width;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    uint16_t cols = (uint16_t)(data[0] % 100 + 1);
    struct cell line[100] = {0}, again[100] = {0};
    long used = cells_line_decode((const char *)data + 1, size - 1, line, cols);
    if (used < 0)
        return 0;
    if ((size_t)used > size - 1)
        abort();
    for (uint16_t i = 0; i < cols; i++) {
        for (int k = 0; k < CELL_CHARS && line[i].chars[k]; k++)
            if (width_of(line[i].chars[k]) < 0)
                abort();
        if (line[i].width > 2 || (line[i].width == 2 && (i + 1 == cols || line[i + 1].width)))
            abort();
    }
    char *packed = mem_alloc(cells_line_most(cols));
    size_t length = cells_line_encode(line, cols, packed);
    if (length > cells_line_most(cols) ||
        cells_line_decode(packed, length, again, cols) != (long)length)
        abort();
    for (uint16_t i = 0; i < cols; i++)
        if (!same(&line[i], &again[i]))
            abort();
    free(packed);
    return 0;
}
