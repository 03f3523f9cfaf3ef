//! Signal-v0: one of four lights is on; the action that names it pays 1. Start here for an
//! environment in Rust. The structs repeat envs/plugin/cadre_env.h.
//!
//!   cargo build --release --manifest-path docs/examples/plugin_rust/Cargo.toml
//!   cadre envs check docs/examples/plugin_rust/target/release/libsignal.so
use std::ffi::{c_char, c_void};
use std::ptr::null;
use std::slice;

const ABI_VERSION: u32 = 1;
const LIGHTS: usize = 4;

#[repr(C)]
pub struct Column {
    name: *const c_char,
    dtype: i32,
    rank: i32,
    shape: *const i64,
    low: *const f32,
    high: *const f32,
}

#[repr(C)]
pub struct Spec {
    id: *const c_char,
    column_count: i32,
    columns: *const Column,
    action_kind: i32,
    action_count: i32,
    counts: *const i64,
    low: *const f32,
    high: *const f32,
    masked: i32,
    max_episode_steps: i64,
    reward_threshold: f64,
}

#[repr(C)]
pub struct Batch {
    observations: *const *mut c_void,
    rewards: *mut f32,
    terminated: *mut u8,
    truncated: *mut u8,
}

#[repr(C)]
pub struct Api {
    abi_version: u32,
    count: extern "C" fn() -> i32,
    spec: extern "C" fn(i32) -> *const Spec,
    create: extern "C" fn(i32, i64, *const c_void, i32) -> *mut c_void,
    destroy: unsafe extern "C" fn(*mut c_void),
    seed: unsafe extern "C" fn(*mut c_void, u64) -> i32,
    reset: unsafe extern "C" fn(*mut c_void, *const u8, *const Batch) -> i32,
    step: unsafe extern "C" fn(*mut c_void, *const c_void, *const u8, *const Batch) -> i32,
    last_error: extern "C" fn(*mut c_void) -> *const c_char,
    set_state: *const c_void,
}

unsafe impl Sync for Column {}
unsafe impl Sync for Spec {}
unsafe impl Sync for Api {}

static SHAPE: [i64; 1] = [LIGHTS as i64];
static COUNTS: [i64; 1] = [LIGHTS as i64];
static COLUMN: Column = Column {
    name: b"obs\0".as_ptr() as *const c_char,
    dtype: 1, // uint8
    rank: 1,
    shape: &SHAPE as *const i64,
    low: null(),
    high: null(),
};
static SPEC: Spec = Spec {
    id: b"Signal-v0\0".as_ptr() as *const c_char,
    column_count: 1,
    columns: &COLUMN,
    action_kind: 0, // discrete
    action_count: 1,
    counts: &COUNTS as *const i64,
    low: null(),
    high: null(),
    masked: 0,
    max_episode_steps: 10,
    reward_threshold: 10.0,
};

struct Signals {
    lights: Vec<usize>, // Which one is on, of each environment.
    random: u64,
}

impl Signals {
    // xorshift64* (Vigna 2016).
    fn draw(&mut self) -> usize {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545F4914F6CDD1D) >> 62) as usize
    }

    unsafe fn show(&mut self, i: usize, batch: &Batch) {
        self.lights[i] = self.draw();
        let all = *batch.observations as *mut u8;
        let row = slice::from_raw_parts_mut(all.add(i * LIGHTS), LIGHTS);
        row.fill(0);
        row[self.lights[i]] = 1;
    }
}

extern "C" fn count() -> i32 {
    1
}

extern "C" fn spec(_index: i32) -> *const Spec {
    &SPEC
}

extern "C" fn create(_index: i32, num_envs: i64, _options: *const c_void, _n: i32) -> *mut c_void {
    let signals = Signals { lights: vec![0; num_envs as usize], random: 1 };
    Box::into_raw(Box::new(signals)) as *mut c_void
}

unsafe extern "C" fn destroy(envs: *mut c_void) {
    drop(Box::from_raw(envs as *mut Signals));
}

unsafe extern "C" fn seed(envs: *mut c_void, seed: u64) -> i32 {
    // The generator needs a state that is not 0.
    (*(envs as *mut Signals)).random = seed.wrapping_mul(2).wrapping_add(1);
    0
}

unsafe extern "C" fn reset(envs: *mut c_void, which: *const u8, batch: *const Batch) -> i32 {
    let envs = &mut *(envs as *mut Signals);
    for i in 0..envs.lights.len() {
        if *which.add(i) != 0 {
            envs.show(i, &*batch);
        }
    }
    0
}

unsafe extern "C" fn step(
    envs: *mut c_void,
    actions: *const c_void,
    which: *const u8,
    batch: *const Batch,
) -> i32 {
    let (envs, batch) = (&mut *(envs as *mut Signals), &*batch);
    for i in 0..envs.lights.len() {
        if *which.add(i) == 0 {
            continue;
        }
        let action = *(actions as *const i32).add(i);
        *batch.rewards.add(i) = if action as usize == envs.lights[i] { 1.0 } else { 0.0 };
        *batch.terminated.add(i) = 0;
        *batch.truncated.add(i) = 0;
        envs.show(i, batch);
    }
    0
}

extern "C" fn last_error(_envs: *mut c_void) -> *const c_char {
    b"\0".as_ptr() as *const c_char
}

static API: Api = Api {
    abi_version: ABI_VERSION,
    count,
    spec,
    create,
    destroy,
    seed,
    reset,
    step,
    last_error,
    set_state: null(),
};

#[no_mangle]
pub extern "C" fn cadre_env_api(host_abi_version: u32) -> *const Api {
    if host_abi_version == ABI_VERSION { &API } else { null() }
}
