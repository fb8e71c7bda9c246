/* Hooks by which other modules of httpd take part in decoding what the rules of mod_qos look at.
 *
 * They are optional hooks of APR: a module that adds to them works without mod_qos as well, and links to nothing of it.
 *
 *     #include "mod_qos_hooks.h"
 *
 *     static int decode(request_rec *r, char **query, int *length);
 *     ...
 *     APR_OPTIONAL_HOOK(qos, query_decode_hook, decode, NULL, NULL, APR_HOOK_MIDDLE);     in register_hooks
 *
 * A function gets a text that mod_qos has decoded once: a copy in the request's pool, with a NUL behind its bytes, of which any may be NUL as well. It may change the text in
 * place, or put another one, of the request's pool, in its place; it has to say how long it is then. The function that comes next gets that. Rules look at what the last one leaves, and
 * at what follows from it: further decodings, paths without dot segments. Texts may be asked about more than once in a request.
 *
 * Functions return OK or DECLINED. The first other value ends the round, and the text counts as it is then. */
#ifndef MOD_QOS_HOOKS_H
#define MOD_QOS_HOOKS_H

#include "httpd.h"
#include "apr_hooks.h"
#include "apr_optional_hooks.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Types only: there are no such functions to link to. */
#ifndef QOS_DECLARE
#define QOS_DECLARE(type) type
#endif

/* The path of a request. */
APR_DECLARE_EXTERNAL_HOOK(qos, QOS, int, path_decode_hook, (request_rec *r, char **path, int *length))

/* Its query, and its parameters as one line (those of the query and of the body), where bodies count. */
APR_DECLARE_EXTERNAL_HOOK(qos, QOS, int, query_decode_hook, (request_rec *r, char **query, int *length))

#ifdef __cplusplus
}
#endif

#endif
