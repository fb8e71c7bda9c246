#include "shim.h"
#include "apr_optional.h"
#include "mod_qos_hooks.h"
#include "mod_ssl.h"

extern module AP_MODULE_DECLARE_DATA qos_module;
APLOG_USE_MODULE(qos);

int qos_shim_server_logs(const server_rec *s, int level)
{
    return APLOG_IS_LEVEL(s, level);
}

int qos_shim_request_logs(const request_rec *r, int level)
{
    return APLOG_R_IS_LEVEL(r, level);
}

void qos_shim_log_server(const server_rec *s, int level, const char *file, int line, const char *text, int len)
{
    ap_log_error(file, line, APLOG_MODULE_INDEX, level, 0, s, "%.*s", len, text);
}

void qos_shim_log_request(const request_rec *r, int level, const char *file, int line, const char *text, int len)
{
    ap_log_rerror(file, line, APLOG_MODULE_INDEX, level, 0, r, "%.*s", len, text);
}

apr_off_t qos_shim_brigade_bytes(apr_bucket_brigade *brigade, int *eos)
{
    apr_off_t bytes = 0;
    apr_bucket *b;

    *eos = 0;
    for (b = APR_BRIGADE_FIRST(brigade); b != APR_BRIGADE_SENTINEL(brigade); b = APR_BUCKET_NEXT(b)) {
        if (APR_BUCKET_IS_EOS(b))
            *eos = 1;
        else if (b->length != (apr_size_t)-1)
            bytes += b->length;
    }
    return bytes;
}

int qos_shim_brigade_empty(apr_bucket_brigade *brigade)
{
    return !brigade || APR_BRIGADE_EMPTY(brigade);
}

void qos_shim_brigade_error(apr_bucket_brigade *brigade, int status, request_rec *r)
{
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;

    apr_brigade_cleanup(brigade);
    APR_BRIGADE_INSERT_TAIL(brigade, ap_bucket_error_create(status, NULL, r->pool, alloc));
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(alloc));
}

apr_bucket *qos_shim_first_bucket(apr_bucket_brigade *brigade)
{
    return APR_BRIGADE_EMPTY(brigade) ? NULL : APR_BRIGADE_FIRST(brigade);
}

apr_bucket *qos_shim_next_bucket(apr_bucket_brigade *brigade, apr_bucket *bucket)
{
    bucket = APR_BUCKET_NEXT(bucket);
    return bucket == APR_BRIGADE_SENTINEL(brigade) ? NULL : bucket;
}

int qos_shim_bucket_has_data(const apr_bucket *bucket)
{
    return !APR_BUCKET_IS_METADATA(bucket);
}

int qos_shim_bucket_file(const apr_bucket *bucket, apr_off_t *start, apr_size_t *length)
{
    apr_os_file_t fd = -1;

    if (!APR_BUCKET_IS_FILE(bucket) || bucket->length == (apr_size_t)-1
        || apr_os_file_get(&fd, ((apr_bucket_file *)bucket->data)->fd) != APR_SUCCESS)
        return -1;
    *start = bucket->start;
    *length = bucket->length;
    return fd;
}

apr_status_t qos_shim_bucket_read(apr_bucket *bucket, const char **bytes, apr_size_t *length, int block)
{
    return apr_bucket_read(bucket, bytes, length, block ? APR_BLOCK_READ : APR_NONBLOCK_READ);
}

apr_status_t qos_shim_bucket_split(apr_bucket *bucket, apr_size_t length)
{
    return apr_bucket_split(bucket, length);
}

void qos_shim_split(apr_bucket_brigade *brigade, apr_bucket *bucket, apr_bucket_brigade *rest)
{
    apr_brigade_split_ex(brigade, bucket, rest);
}

void qos_shim_append(apr_bucket_brigade *brigade, apr_bucket_brigade *rest)
{
    APR_BRIGADE_CONCAT(brigade, rest);
}

static int bucket_kind(const apr_bucket *b)
{
    if (APR_BUCKET_IS_METADATA(b)) {
        if (AP_BUCKET_IS_EOR(b))
            return QOS_BUCKET_EOR;
        if (APR_BUCKET_IS_EOS(b))
            return QOS_BUCKET_EOS;
        return APR_BUCKET_IS_FLUSH(b) ? QOS_BUCKET_FLUSH : QOS_BUCKET_META;
    }
    if (b->length == (apr_size_t)-1)
        return QOS_BUCKET_UNKNOWN;
    return APR_BUCKET_IS_FILE(b) ? QOS_BUCKET_FILE : QOS_BUCKET_DATA;
}

int qos_shim_first_kind(apr_bucket_brigade *brigade, apr_size_t *length)
{
    const apr_bucket *b = APR_BRIGADE_FIRST(brigade);

    *length = 0;
    if (b == APR_BRIGADE_SENTINEL(brigade))
        return QOS_BUCKET_NONE;
    if (b->length != (apr_size_t)-1)
        *length = b->length;
    return bucket_kind(b);
}

apr_off_t qos_shim_brigade_content(apr_bucket_brigade *brigade, apr_off_t *all, unsigned *kinds)
{
    apr_off_t memory = 0;
    const apr_bucket *b;

    *all = 0;
    *kinds = 0;
    for (b = APR_BRIGADE_FIRST(brigade); b != APR_BRIGADE_SENTINEL(brigade); b = APR_BUCKET_NEXT(b)) {
        int kind = bucket_kind(b);

        *kinds |= 1u << kind;
        if (kind == QOS_BUCKET_DATA)
            memory += b->length;
        if (kind == QOS_BUCKET_DATA || kind == QOS_BUCKET_FILE)
            *all += b->length;
    }
    return memory;
}

apr_status_t qos_shim_read_first(apr_bucket_brigade *brigade, int wait)
{
    const char *data;
    apr_size_t length;

    return apr_bucket_read(APR_BRIGADE_FIRST(brigade), &data, &length, wait ? APR_BLOCK_READ : APR_NONBLOCK_READ);
}

apr_status_t qos_shim_move_first(apr_bucket_brigade *from, apr_bucket_brigade *to, apr_size_t length)
{
    apr_bucket *b = APR_BRIGADE_FIRST(from);
    apr_status_t status;

    if (!APR_BUCKET_IS_METADATA(b) && b->length > length) {
        status = apr_bucket_split(b, length);
        if (status == APR_ENOTIMPL) {
            status = qos_shim_read_first(from, 1);
            if (status == APR_SUCCESS && b->length > length)
                status = apr_bucket_split(b, length);
        }
        if (status != APR_SUCCESS)
            return status;
    }
    APR_BUCKET_REMOVE(b);
    APR_BRIGADE_INSERT_TAIL(to, b);
    return APR_SUCCESS;
}

apr_bucket_brigade *qos_shim_brigade(apr_pool_t *pool, conn_rec *c)
{
    return apr_brigade_create(pool, c->bucket_alloc);
}

void qos_shim_add_flush(apr_bucket_brigade *brigade)
{
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_flush_create(brigade->bucket_alloc));
}

int qos_shim_again(apr_status_t status)
{
    return APR_STATUS_IS_EAGAIN(status);
}

int qos_shim_mpm_can_wait(void)
{
#ifdef AP_MPMQ_CAN_WAITIO
    int can = 0;

    return ap_mpm_query(AP_MPMQ_CAN_WAITIO, &can) == APR_SUCCESS && can > 0;
#else
    return 0;
#endif
}

int qos_shim_can_wait(const conn_rec *c)
{
    return c->cs && !c->master && !c->clogging_input_filters;
}

void qos_shim_leave(conn_rec *c, int what)
{
    switch (what) {
#ifdef AP_MPMQ_CAN_WAITIO
    case QOS_LEAVE_READ:
    case QOS_LEAVE_WRITE:
        c->cs->state = CONN_STATE_ASYNC_WAITIO;
        c->cs->sense = what == QOS_LEAVE_READ ? CONN_SENSE_WANT_READ : CONN_SENSE_WANT_WRITE;
        break;
#endif
    case QOS_LEAVE_WRITTEN:
        c->cs->state = CONN_STATE_WRITE_COMPLETION;
        break;
    default:
        c->cs->state = CONN_STATE_LINGER;
    }
}

int qos_shim_is_written(const conn_rec *c)
{
    return c->cs->state == CONN_STATE_WRITE_COMPLETION;
}

int qos_shim_is_waiting(const conn_rec *c)
{
#ifdef AP_MPMQ_CAN_WAITIO
    return c->cs && c->cs->state == CONN_STATE_ASYNC_WAITIO && c->cs->sense == CONN_SENSE_WANT_READ;
#else
    return 0;
#endif
}

int qos_shim_connection_fd(conn_rec *c)
{
    return qos_shim_socket_fd(ap_get_conn_socket(c));
}

void qos_shim_set_connection_fd(conn_rec *c, int fd)
{
    apr_socket_t *socket = ap_get_conn_socket(c);
    apr_os_sock_t sd = fd;

    if (socket)
        apr_os_sock_put(&socket, &sd, c->pool);
}

void qos_shim_set_aborted(conn_rec *c)
{
    c->aborted = 1;
}

void qos_shim_busy_writing(conn_rec *c)
{
    if (c->sbh)
        ap_update_child_status(c->sbh, SERVER_BUSY_WRITE, NULL);
}

int qos_shim_socket_fd(void *socket)
{
    apr_os_sock_t fd = -1;

    if (!socket || apr_os_sock_get(&fd, socket) != APR_SUCCESS)
        return -1;
    return fd;
}

int qos_shim_address(const apr_sockaddr_t *address, unsigned char *bytes)
{
    if (!address)
        return 0;
    if (address->family == APR_INET) {
        memcpy(bytes, &address->sa.sin.sin_addr, 4);
        return 4;
    }
#if APR_HAVE_IPV6
    if (address->family == APR_INET6) {
        memcpy(bytes, &address->sa.sin6.sin6_addr, 16);
        return 16;
    }
#endif
    return 0;
}

int qos_shim_table_entry(const apr_table_t *table, int n, const char **key, const char **value)
{
    const apr_array_header_t *entries = apr_table_elts(table);
    const apr_table_entry_t *entry;

    if (n < 0 || n >= entries->nelts)
        return 0;
    entry = &((const apr_table_entry_t *)entries->elts)[n];
    *key = entry->key;
    *value = entry->val;
    return 1;
}

void qos_shim_flush_earlier(request_rec *r)
{
    conn_rec *c = r->connection;
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, c->bucket_alloc);

    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(c->bucket_alloc));
    ap_pass_brigade(c->output_filters, bb);
    apr_brigade_destroy(bb);
}

int qos_shim_aborted(const conn_rec *c)
{
    return c->aborted;
}

const char *qos_shim_ssl_variable(request_rec *r, const char *name)
{
    APR_OPTIONAL_FN_TYPE(ssl_var_lookup) *lookup = APR_RETRIEVE_OPTIONAL_FN(ssl_var_lookup);

    return lookup ? lookup(r->pool, r->server, r->connection, r, (char *)name) : NULL;
}

void qos_shim_hook_status(int (*section)(request_rec *r, int flags))
{
    APR_OPTIONAL_HOOK(ap, status_hook, section, NULL, NULL, APR_HOOK_MIDDLE);
}

void qos_shim_add_bytes(apr_bucket_brigade *brigade, const char *bytes, apr_size_t length)
{
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_transient_create(bytes, length, brigade->bucket_alloc));
}

void qos_shim_add_eos(apr_bucket_brigade *brigade)
{
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(brigade->bucket_alloc));
}

int qos_shim_sent_head_only(request_rec *r)
{
    ap_filter_t *filter;

    if (!r->header_only && r->status != HTTP_NO_CONTENT && r->status != HTTP_NOT_MODIFIED)
        return 0;
    /* Of a stream no byte stands behind an answer that it does not belong to. */
    if (r->connection->master)
        return 0;
    /* The filter that sends the head has a context when it has begun, and is taken away at its end. */
    for (filter = r->proto_output_filters; filter; filter = filter->next)
        if (!strcmp(filter->frec->name, "http_header"))
            return filter->ctx != NULL;
    return 1;
}

void qos_shim_inflate(request_rec *r)
{
    ap_add_input_filter("DEFLATE", NULL, r, r->connection);
}

APR_DECLARE_OPTIONAL_FN(apr_table_t *, parp_hp_table, (request_rec *r));
APR_DECLARE_OPTIONAL_FN(const char *, parp_body_data, (request_rec *r, apr_size_t *length));

static apr_table_t *(*parameter_table)(request_rec *r);
static const char *(*body_data)(request_rec *r, apr_size_t *length);

static apr_table_t *parp_hp_table(request_rec *r)
{
    return parameter_table(r);
}

static const char *parp_body_data(request_rec *r, apr_size_t *length)
{
    return body_data(r, length);
}

void qos_shim_offer_parameters(apr_table_t *(*table)(request_rec *r), const char *(*data)(request_rec *r, apr_size_t *length))
{
    parameter_table = table;
    body_data = data;
    APR_REGISTER_OPTIONAL_FN(parp_hp_table);
    APR_REGISTER_OPTIONAL_FN(parp_body_data);
}

APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(qos, QOS, int, path_decode_hook, (request_rec *r, char **path, int *length), (r, path, length), OK, DECLINED)
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(qos, QOS, int, query_decode_hook, (request_rec *r, char **query, int *length), (r, query, length), OK, DECLINED)

static int is_used(const char *hook)
{
    const apr_array_header_t *functions = apr_optional_hook_get(hook);

    return functions && functions->nelts > 0;
}

int qos_shim_has_decode_hooks(void)
{
    return is_used("path_decode_hook") || is_used("query_decode_hook");
}

void qos_shim_decode_path(request_rec *r, char **text, int *length)
{
    qos_run_path_decode_hook(r, text, length);
}

void qos_shim_decode_query(request_rec *r, char **text, int *length)
{
    qos_run_query_decode_hook(r, text, length);
}
