/* The half of the process that is asked: what a request says, and its answers. */
#include "backends/hands/words.h"

#include "base/fd.h"
#include "base/str.h"

#include <string.h>

void hands_tell(int control, enum hands_word word, uint32_t number, int value,
                const struct error *e, const int *fds, size_t count)
{
    struct hands_message m = {.word = word, .number = number, .value = value};
    if (e)
        m.error = *e;
    fd_send(control, &m, sizeof(m), fds, count);
}

static int words_take(const char **at, const char *end, char ***to, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *nul = *at < end ? memchr(*at, 0, (size_t)(end - *at)) : NULL;
        if (!nul)
            return -EBADMSG;
        strv_add(to, *at);
        *at = nul + 1;
    }
    return 0;
}

int hands_exec_read(const char *data, size_t size, struct launch_exec *ret, char ***front,
                    char ***argv, char ***env)
{
    struct hands_exec head;
    if (size < sizeof(head))
        return -EBADMSG;
    memcpy(&head, data, sizeof(head));
    const char *at = data + sizeof(head), *end = data + size;
    if (words_take(&at, end, front, 2) < 0 || words_take(&at, end, argv, head.argc) < 0 ||
        words_take(&at, end, env, head.envc) < 0 || !*argv)
        return -EBADMSG;
    *ret = (struct launch_exec){
        .argv = *argv,
        .env = *env,
        .cwd = (*front)[0][0] ? (*front)[0] : NULL,
        .user = (*front)[1][0] ? (*front)[1] : NULL,
        .terminal = head.terminal,
        .rows = head.rows,
        .cols = head.cols,
    };
    return 0;
}
