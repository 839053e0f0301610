/* What dyld loads into programs of a Mac that gotrace watches: hands the program's task to gotrace, once, before
 * the program's own code runs.
 *
 * It runs in each program of a build: no allocation, no thread, nothing that stays. Whatever fails, the program goes
 * on as if this was not there. A fork says nothing: to look up a name in the child of a fork is not safe (libxpc
 * refuses to work there), and the ports of the parent are not the child's. An exec begins anew.
 */
#include <mach/mach.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "hello.h"

/* <servers/bootstrap.h>, which zig has not. */
extern kern_return_t bootstrap_look_up(mach_port_t bootstrap, const char *name, mach_port_t *found);

#define SAME_PLACE(ours, theirs) \
    _Static_assert(offsetof(struct gotrace_hello, ours) == offsetof(struct as_apple_has_it, theirs), #ours)

struct as_apple_has_it {
    mach_msg_header_t header;
    mach_msg_body_t body;
    mach_msg_port_descriptor_t task;
};
SAME_PLACE(bits, header.msgh_bits);
SAME_PLACE(size, header.msgh_size);
SAME_PLACE(remote, header.msgh_remote_port);
SAME_PLACE(local, header.msgh_local_port);
SAME_PLACE(voucher, header.msgh_voucher_port);
SAME_PLACE(id, header.msgh_id);
SAME_PLACE(descriptors, body.msgh_descriptor_count);
SAME_PLACE(task, task.name);
_Static_assert(offsetof(struct gotrace_hello, version) == sizeof(struct as_apple_has_it), "version");

/* The answer: a header, and the trailer that the kernel puts behind it. */
struct answer {
    mach_msg_header_t header;
    mach_msg_max_trailer_t trailer;
};

static void say_hello(mach_port_t self, mach_port_t recorder, mach_port_t reply) {
    struct gotrace_hello hello = {
        .bits = MACH_MSGH_BITS_COMPLEX | MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE),
        .size = sizeof hello,
        .remote = recorder,
        .local = reply,
        .id = GOTRACE_HELLO_ID,
        .descriptors = 1,
        .task = self,
        .disposition = MACH_MSG_TYPE_COPY_SEND,
        .type = MACH_MSG_PORT_DESCRIPTOR,
        .version = GOTRACE_HELLO_VERSION,
        .pid = (uint32_t)getpid(),
        .parent = (uint32_t)getppid(),
    };
    mach_msg_header_t *message = (mach_msg_header_t *)&hello;
    kern_return_t sent = mach_msg(message, MACH_SEND_MSG | MACH_SEND_TIMEOUT, sizeof hello, 0, MACH_PORT_NULL,
                                  GOTRACE_HELLO_PATIENCE, MACH_PORT_NULL);
    if (sent != KERN_SUCCESS)
        return;
    struct answer answer;
    mach_msg(&answer.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof answer, reply, GOTRACE_HELLO_PATIENCE,
             MACH_PORT_NULL);
}

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv(GOTRACE_HELLO_VARIABLE);
    if (name == NULL || *name == 0)
        return;
    mach_port_t self = mach_task_self(), bootstrap = MACH_PORT_NULL, recorder = MACH_PORT_NULL;
    mach_port_t reply = MACH_PORT_NULL;
    if (task_get_special_port(self, TASK_BOOTSTRAP_PORT, &bootstrap) != KERN_SUCCESS)
        return;
    if (bootstrap_look_up(bootstrap, name, &recorder) == KERN_SUCCESS) {
        if (mach_port_allocate(self, MACH_PORT_RIGHT_RECEIVE, &reply) == KERN_SUCCESS) {
            say_hello(self, recorder, reply);
            mach_port_mod_refs(self, reply, MACH_PORT_RIGHT_RECEIVE, -1);
        }
        mach_port_deallocate(self, recorder);
    }
    mach_port_deallocate(self, bootstrap);
}
