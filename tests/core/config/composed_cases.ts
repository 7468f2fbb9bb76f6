/** Dappfiles that share and repeat, each with what it comes to. */
/** Two dappfiles that mean the same. */
export interface Same {
  readonly name: string;
  readonly short: string;
  readonly long: string;
}

/** The cases. */
export const same: readonly Same[] = [
  {
    name: "a template's keys, where the document has none of its own",
    short: `
template: web
from: node:22
shell: { install: [npm ci], setup: [npm run build] }
docker: { WORKDIR: /app, ENV: { A: 1, B: 2 } }
---
dimg: app
extends: web
shell: { setup: make }
docker: { ENV: { B: 3 } }
`,
    long: `
dimg: app
from: node:22
shell: { install: [npm ci], setup: make }
docker: { WORKDIR: /app, ENV: { A: 1, B: 3 } }
`,
  },
  {
    name: "templates of templates, later ones and nearer ones count more",
    short: `
template: a
from: a
fromCacheVersion: a
network: none
---
template: b
extends: a
fromCacheVersion: b
---
template: c
from: c
asLayers: true
---
dimg: app
extends: [c, b]
---
dimg: other
extends: [b, c]
network: private
`,
    long: `
dimg: app
from: a
fromCacheVersion: b
network: none
asLayers: true
---
dimg: other
from: c
fromCacheVersion: b
network: private
asLayers: true
`,
  },
  {
    name: "lists replace, and `...` stands for the inherited entries",
    short: `
template: base
from: x
shell: { install: [one, two], beforeSetup: alone }
git: [{ to: /a, add: /a }]
---
dimg: replaced
extends: base
shell: { install: [three] }
---
dimg: around
extends: base
shell: { install: [zero, ..., three], beforeSetup: [..., more] }
git:
  - ...
  - { to: /b, add: /b }
---
dimg: literal
extends: base
shell: { install: ["...", "..."] }
`,
    long: `
dimg: replaced
from: x
shell: { install: [three], beforeSetup: alone }
git: [{ to: /a, add: /a }]
---
dimg: around
from: x
shell: { install: [zero, one, two, three], beforeSetup: [alone, more] }
git: [{ to: /a, add: /a }, { to: /b, add: /b }]
---
dimg: literal
from: x
shell: { install: ["...", "..."], beforeSetup: alone }
git: [{ to: /a, add: /a }]
`,
  },
  {
    name: "`...` of a template waits for what is below it",
    short: `
defaults: { shell: { install: first } }
---
template: more
shell: { install: [..., second] }
---
dimg: app
from: x
extends: more
---
dimg: none
from: x
shell: ~
extends: more
`,
    long: `
dimg: app
from: x
shell: { install: [first, second] }
---
dimg: none
from: x
`,
  },
  {
    name: "`~` takes away, and one base takes the place of another",
    short: `
template: base
from: x
git: [{ to: /a }]
docker: { ENV: { A: 1 }, USER: nobody }
---
dimg: app
extends: base
git: ~
docker: { USER: ~ }
---
dimg: upon
extends: base
fromDimg: app
`,
    long: `
dimg: app
from: x
docker: { ENV: { A: 1 } }
---
dimg: upon
fromDimg: app
git: [{ to: /a }]
docker: { ENV: { A: 1 }, USER: nobody }
`,
  },
  {
    name: "defaults reach dimgs and artifacts, each with what it can have",
    short: `
defaults:
  from: x
  git: [{ to: /a, stageDependencies: { setup: [s], buildArtifact: [b] } }]
  shell: { setup: s, buildArtifact: b }
  docker: { USER: nobody }
---
dimg: app
---
artifact: made
from: y
`,
    long: `
dimg: app
from: x
git: [{ to: /a, stageDependencies: { setup: [s] } }]
shell: { setup: s }
docker: { USER: nobody }
---
artifact: made
from: y
git: [{ to: /a, stageDependencies: { setup: [s], buildArtifact: [b] } }]
shell: { setup: s, buildArtifact: b }
`,
  },
  {
    name: "a matrix makes an image of each combination, the last key fastest",
    short: `
dimg: "app-\${{ matrix.node }}-\${{ matrix.os }}"
from: node:\${{ matrix.node }}-\${{ matrix.os }}
matrix: { node: [1.10, 22], os: [a, b] }
`,
    long: `
dimg: app-1.10-a
from: node:1.10-a
---
dimg: app-1.10-b
from: node:1.10-b
---
dimg: app-22-a
from: node:22-a
---
dimg: app-22-b
from: node:22-b
`,
  },
  {
    name: "maps of a matrix, and values of templates",
    short: `
template: service
from: x
git: [{ add: "/services/\${{ matrix.name }}", to: /app }]
docker: { EXPOSE: "\${{ matrix.port || 80 }}" }
---
dimg: "\${{ matrix.name }}"
extends: service
matrix:
  - { name: api, port: 8080 }
  - { name: [web, admin] }
`,
    long: `
dimg: api
from: x
git: [{ add: /services/api, to: /app }]
docker: { EXPOSE: 8080 }
---
dimg: web
from: x
git: [{ add: /services/web, to: /app }]
docker: { EXPOSE: 80 }
---
dimg: admin
from: x
git: [{ add: /services/admin, to: /app }]
docker: { EXPOSE: 80 }
`,
  },
  {
    name: "images of matrices name each other",
    short: `
artifact: "assets-\${{ matrix.lang }}"
from: x
matrix: { lang: [de, fr] }
---
dimg: "site-\${{ matrix.lang }}"
from: x
matrix: { lang: [de, fr] }
import: [{ artifact: "assets-\${{ matrix.lang }}", add: /out, after: setup }]
shell: { setup: "echo \${{ env.TAG }} $\${{ matrix.lang }}" }
`,
    long: `
artifact: assets-de
from: x
---
artifact: assets-fr
from: x
---
dimg: site-de
from: x
import: [{ artifact: assets-de, add: /out, after: setup }]
shell: { setup: "echo 1.20 $\${{ matrix.lang }}" }
---
dimg: site-fr
from: x
import: [{ artifact: assets-fr, add: /out, after: setup }]
shell: { setup: "echo 1.20 $\${{ matrix.lang }}" }
`,
  },
];
