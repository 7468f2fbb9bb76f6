import assert from "node:assert/strict";
import { digestOf } from "../../core/contract/plugin.ts";
import { withProject } from "../support/project.ts";

const dappfile = `project: shop
---
dimg: app
from: scratch
git: [{ add: /, to: /app }]
`;

Deno.test("planLocalCleanup() counts what nothing names with all else that goes", async (t) => {
  const requests = [
    { what: "leftovers" },
    { what: "stages", improperCacheVersion: true },
    { what: "flush", stages: true, images: false },
  ] as const;
  for (const request of requests) {
    await t.step(
      request.what,
      () =>
        withProject({ "dappfile.yaml": dappfile, "index.html": "hi" }, async ({ engine, home }) => {
          {
            await using building = engine();
            await building.build();
          }
          const orphan = new Uint8Array(12_345);
          await Deno.writeFile(`${home}/blobs/sha256/${(await digestOf(orphan)).slice(7)}`, orphan);
          await using cleaning = engine();
          const plan = await cleaning.planLocalCleanup(request);
          assert.ok(plan.freedBytes >= orphan.length, `${plan.freedBytes}`);
          const report = await cleaning.applyLocalCleanup(plan);
          // Texts of file listings go too and are not counted before.
          assert.ok(plan.freedBytes <= report.freedBytes, `${plan.freedBytes} and ${report.freedBytes}`);
        }),
    );
  }
});
