/** Who goes first on the one thread of a helper: gathering what a step changed, then compressing it, then unpacking layers. */
let gathering: Promise<unknown> | undefined;
let compressing = 0;

/** Work that everything else waits for: the next step does, and a thread that compresses. */
export async function gatherFirst<T>(work: () => Promise<T>): Promise<T> {
  const done = work();
  gathering = done.catch(() => {});
  try {
    return await done;
  } finally {
    gathering = undefined;
  }
}

/** Work of another thread, which waits whenever this one does not let its answers in. */
export async function compressBeside<T>(work: () => Promise<T>): Promise<T> {
  compressing++;
  try {
    return await work();
  } finally {
    compressing--;
  }
}

/** Settles when the next piece of a layer may be unpacked. */
export async function unpackingTurn(): Promise<void> {
  await gathering;
  if (compressing > 0) await othersTurn();
}

/** Lets those go on who wait for this thread. Nothing that is quicker than a timer is sure to let a worker's answer in. */
export async function othersTurn(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
}
