/** The native builder, tested as a plugin from elsewhere is: with nothing but what is published for that. */
import { builderConformance } from "../../testing/mod.ts";
import { nativeFixture } from "./native_fixture.ts";

builderConformance(Deno.uid() === 0 ? "native (root)" : "native (ordinary user)", nativeFixture);
