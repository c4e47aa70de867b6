/* The XML of a domain, from a plan: pure. As libvirt's "Domain XML format" has it, of 9.0 or newer.
 */
#ifndef COFFERDAM_BACKENDS_LIBVIRT_DOMAIN_XML_H
#define COFFERDAM_BACKENDS_LIBVIRT_DOMAIN_XML_H

#include "app/plan/plan.h"
#include "base/str.h"

/* What marks a domain as ours, and tells whose it is. */
#define DOMAIN_METADATA_URI "https://cofferdam.example/domain/1"

/* The serial number of the disk with an image's files. */
#define DOMAIN_DISK_ROOT "root"

enum { DOMAIN_UUID_SIZE = 37 };
/* The domain's: made from the workload's id alone, so that it is found without any record. */
void domain_uuid(const char *id, char ret[DOMAIN_UUID_SIZE]);
char *domain_name(const struct plan *p); /* owned by the caller */

/* Files in plan.machine.folder and sockets; owned by the caller. */
char *domain_disk_path(const struct plan *p, size_t disk); /* the overlay over disks[disk] */
char *domain_vars_path(const struct plan *p);
/* Where it is another host's: copies of what lies here, of which only this machine is made. */
char *domain_base_path(const struct plan *p, size_t disk); /* below disks[disk]'s overlay */
char *domain_cd_path(const struct plan *p, size_t cd);
char *domain_console_path(const struct plan *p);
char *domain_agent_path(const struct plan *p); /* of a guest of ours */
/* VNC, where there is a window, as whoever looks at it is told. */
char *domain_screen_path(const struct plan *p);

/* Who QEMU is there, if not who made the plan: libvirt has it from qemu.conf. */
struct domain_host {
    bool other;
    uint32_t uid, gid; /* where `other` */
};
/* Where `other`: in the one folder it may write in, and what it boots, copied for it. */
char *domain_screen_away(const struct plan *p);
char *domain_copy_path(const struct plan *p, const char *name); /* "kernel", "initramfs", "root" */

/* As the guest's board has disks[disk]: "vda". */
struct domain_disk_name {
    char text[8];
} domain_disk_name(const struct plan *p, size_t disk);

/* Text of others, as text or between single quotes. What XML cannot hold at all is a '?'. */
void domain_xml_text(struct buf *b, const char *s);

/* Owned by the caller. The plan is plan_check()ed. */
char *domain_xml(const struct plan *p, const struct domain_host *h);

#endif
