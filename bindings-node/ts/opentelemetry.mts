/** The same objects for `import`: there is one instance of everything, the CommonJS one. */
export * from './opentelemetry.js'
