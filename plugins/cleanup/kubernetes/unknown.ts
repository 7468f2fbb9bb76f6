import { EngineError } from "../../../core/contract/plugin.ts";

const FIX =
  "Correct the kubeconfig, name the contexts to ask in keep-kubernetes, or leave Kubernetes out with --without-kube";

/** That what runs is not known. Thrown, it stops the whole cleanup: nobody knows does not mean nothing runs. */
export function unknown(why: string, fix: string = FIX): EngineError {
  return new EngineError("PLUGIN_FAILED", `Cannot find out what runs in Kubernetes: ${why}`, { fix });
}
