/** For `runners.test.mjs`. */
export default { test: { include: ['specs/*.vitest.mjs'] } }
