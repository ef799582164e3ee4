// SPDX-License-Identifier: Apache-2.0
// Azure's JavaScript clients for the tests beside this file: one JSON request on standard input,
// one JSON answer on standard output. Secrets come by standard input only.
"use strict";
const { ClientSecretCredential, ManagedIdentityCredential } = require("@azure/identity");
const { LogsIngestionClient, isAggregateLogsUploadError } = require("@azure/monitor-ingestion");

function credential(request) {
  if (request.token) {
    return { getToken: async () => ({ token: request.token, expiresOnTimestamp: Date.now() + 3600000 }) };
  }
  if (!request.clientId) {
    return new ManagedIdentityCredential();
  }
  return new ClientSecretCredential(request.tenantId, request.clientId, request.clientSecret, {
    authorityHost: request.authorityHost,
    disableInstanceDiscovery: true,
  });
}

const actions = {
  token: async (request) => credential(request).getToken(request.scope),

  upload: async (request) => {
    const client = new LogsIngestionClient(request.endpoint, credential(request), {
      retryOptions: { maxRetries: 1 },
    });
    const errors = [];
    try {
      await client.upload(request.ruleId, request.stream, request.rows, {
        maxConcurrency: request.maxConcurrency || 1,
      });
    } catch (error) {
      if (!isAggregateLogsUploadError(error)) {
        throw error;
      }
      errors.push(...error.errors.map((e) => ({
        status: e.cause.statusCode, code: e.cause.code, rows: e.failedLogs.length,
      })));
    }
    return { errors };
  },
};

async function main() {
  let text = "";
  for await (const chunk of process.stdin) {
    text += chunk;
  }
  const request = JSON.parse(text);
  try {
    console.log(JSON.stringify(await actions[request.action](request)));
  } catch (error) {
    console.log(JSON.stringify({ failed: error.name, message: error.message }));
  }
}

main();
