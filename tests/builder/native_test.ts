import { builderConformance } from "./conformance.ts";
import { nativeFixture } from "./native_fixture.ts";

builderConformance(Deno.uid() === 0 ? "native (root)" : "native (ordinary user)", nativeFixture);
