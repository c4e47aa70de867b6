/* What PID 1 and everything it starts may keep. init/agent.h says what it expects. */
#include "backends/native/setup.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* To start commands as other users and to signal them, where there are other users. */
static const uint64_t capabilities_of_init =
    1ull << CAP_SETUID | 1ull << CAP_SETGID | 1ull << CAP_KILL;

/* Nothing outside the plan's set can ever be gained again, by whatever file. */
int setup_bounding_set(struct setup *s)
{
    for (unsigned c = 0; c < 64; c++) {
        if (s->plan->capabilities >> c & 1)
            continue;
        if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0) {
            if (errno == EINVAL) /* beyond the last one this kernel has */
                break;
            return error_errno(&s->error, errno, "capability %u", c);
        }
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return error_errno(&s->error, errno, "ambient capabilities");
    return 0;
}

/* All at once: permitted, effective and (so that uid 0 carries them over exec) inheritable. */
int setup_capabilities(struct setup *s)
{
    uint64_t kept = s->plan->capabilities;
    if (s->ids->many)
        kept |= capabilities_of_init;
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct now[2], then[2];
    if (syscall(SYS_capget, &head, now) < 0)
        return error_errno(&s->error, errno, "capabilities");
    for (int i = 0; i < 2; i++) {
        uint32_t set = (uint32_t)(kept >> (32 * i)) & now[i].permitted;
        then[i].permitted = then[i].effective = then[i].inheritable = set;
    }
    if (syscall(SYS_capset, &head, then) < 0)
        return error_errno(&s->error, errno, "dropping capabilities");
    return 0;
}
