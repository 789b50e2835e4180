//! What a plugin may use. Every limit has a test that reaches it.

use std::time::Duration;

/// Ceilings for plugins; the same for every plugin of a server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a component file.
    pub component_bytes: usize,
    /// Time that compiling one component may take.
    pub compile: Duration,
    /// Instances that may exist at once, in each of the two engines. Address space is reserved for
    /// all of them: about 4 GiB each, of which nothing is touched before it is used.
    pub instances: u32,
    /// Bytes of linear memory of one instance.
    pub memory_bytes: usize,
    /// Elements of all tables of one instance.
    pub table_elements: usize,
    /// Bytes of stack that wasm code may use.
    pub stack_bytes: usize,
    /// Bytes that one host call, or one answer, may carry out of the guest.
    pub transfer_bytes: usize,
    /// Handles to resources that one instance may hold.
    pub handles: usize,
    /// How often running code looks at the clock: the precision of the CPU budgets.
    pub tick: Duration,
    /// CPU time of a call, to which [`Self::cpu_per_message`] is added for each message.
    pub cpu: Duration,
    /// CPU time that each message of a batch adds.
    pub cpu_per_message: Duration,
    /// Wall time of a channel's `send`. Above the five minutes that a server may take to answer the
    /// end of SMTP DATA.
    pub send_wall: Duration,
    /// Wall time of a channel's `check` and `events`.
    pub call_wall: Duration,
    /// Host calls of one call, to which [`Self::host_calls_per_message`] is added for each message.
    pub host_calls: u32,
    /// Host calls that each message of a batch adds.
    pub host_calls_per_message: u32,
    /// Requests that one instance may have open, beside one for each message in flight.
    pub open_requests: u32,
    /// Messages that all instances of one binding may have in flight.
    pub messages_in_flight: usize,
    /// Calls after which an instance is retired.
    pub uses: u32,
    /// Idle instances kept for a binding.
    pub idle_instances: usize,
    /// Bytes that one call may log.
    pub log_bytes: usize,
    /// Bytes of a key in the key-value store.
    pub key_bytes: usize,
    /// Bytes of a value in the key-value store.
    pub value_bytes: usize,
    /// Outgoing HTTP.
    pub http: HttpLimits,
}

/// Ceilings for one outgoing HTTP request.
#[derive(Clone, Debug)]
pub struct HttpLimits {
    /// Time when the guest names none.
    pub default_timeout: Duration,
    /// The longest that a guest may ask for.
    pub longest_timeout: Duration,
    /// Bytes of a request's body.
    pub request_bytes: usize,
    /// Bytes of a response's body.
    pub response_bytes: usize,
    /// How many headers, each way.
    pub headers: usize,
    /// Bytes of all headers, each way.
    pub header_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            component_bytes: 32 << 20,
            compile: Duration::from_secs(60),
            instances: 512,
            memory_bytes: 64 << 20,
            table_elements: 10_000,
            stack_bytes: 512 << 10,
            transfer_bytes: 32 << 20,
            handles: 1_000,
            tick: Duration::from_millis(10),
            cpu: Duration::from_millis(250),
            cpu_per_message: Duration::from_millis(5),
            send_wall: Duration::from_secs(360),
            call_wall: Duration::from_secs(30),
            host_calls: 256,
            host_calls_per_message: 32,
            open_requests: 8,
            messages_in_flight: 1_024,
            uses: 1_000,
            idle_instances: 4,
            log_bytes: 64 << 10,
            key_bytes: 256,
            value_bytes: 64 << 10,
            http: HttpLimits {
                default_timeout: Duration::from_secs(10),
                longest_timeout: Duration::from_secs(60),
                request_bytes: 8 << 20,
                response_bytes: 1 << 20,
                headers: 64,
                header_bytes: 32 << 10,
            },
        }
    }
}
