using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Controllers;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;
using Microsoft.OpenApi;
using WebhookService.Api.Devices;
using WebhookService.Api.Errors;
using WebhookService.Api.Events;
using WebhookService.Api.Lists;
using WebhookService.Api.Security;
using WebhookService.Api.Webhooks;

namespace WebhookService.Api.Operating;

/// <summary>What the OpenAPI document says of a call beyond its types: names as they are sent, bodies that the service reads by itself, and refusals.</summary>
internal sealed class CallDescription : IOpenApiDocumentTransformer, IOpenApiOperationTransformer
{
    private const string ProblemSchema = "Problem";
    private const string OneDevice = "api/v1/devices/{clientId}";
    private const string LiveStream = "api/v1/events/stream";
    private const string AllDevices = "api/v1/devices";

    public Task TransformAsync(OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken cancellationToken)
    {
        document.AddComponent(ProblemSchema, ObjectOf(
            ("type", Text("`urn:webhookservice:problem:` and the code.")),
            ("title", Text("The name of the status.")),
            ("status", new OpenApiSchema { Type = JsonSchemaType.Integer }),
            ("detail", Text("What is wrong.")),
            ("code", Text("The stable word for it.")),
            ("parameter", Text("The query parameter, header, body member or scope at fault.")),
            ("hint", Text("What to do next.")),
            ("quarantineId", Text("Where the body is kept that nothing could be made of.")),
            ("requestId", Text("The id of the request in the service's log."))));
        return Task.CompletedTask;
    }

    public async Task TransformAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        var call = context.Description;
        var metadata = call.ActionDescriptor.EndpointMetadata;
        var isWebhook = call.ActionDescriptor is ControllerActionDescriptor of && of.ControllerTypeInfo == typeof(WebhookController);
        var isPatch = HttpMethods.IsPatch(call.HttpMethod!);
        var takesIfMatch = call.RelativePath == OneDevice && (isPatch || HttpMethods.IsDelete(call.HttpMethod!));

        operation.Parameters ??= [];
        foreach (var parameter in operation.Parameters.OfType<OpenApiParameter>().Where(parameter => parameter.In is ParameterLocation.Query))
            parameter.Name = JsonNamingPolicy.CamelCase.ConvertName(parameter.Name!);
        foreach (var prefix in metadata.OfType<AlsoTakesQueryAttribute>().Select(also => also.Name).Where(name => name.EndsWith(".*", StringComparison.Ordinal)))
            operation.Parameters.Add(Prefixed(prefix[..^1]));
        if (takesIfMatch) operation.Parameters.Add(IfMatch(required: isPatch));

        if (isWebhook) operation.RequestBody = Body(["application/json"], WebhookSchema(), WebhookExample());
        else if (isPatch) operation.RequestBody = Body(metadata.OfType<ConsumesAttribute>().Single().ContentTypes, PatchSchema(), PatchExample());
        else if (operation.RequestBody?.Content is { } content)
            foreach (var type in content.Keys.Where(type => type != ListForms.Json).ToList()) content.Remove(type);

        operation.Responses ??= [];
        foreach (var answer in operation.Responses.Values)
            foreach (var streamed in answer.Content?.Where(type => type.Key is ListForms.NdJson or ListForms.Csv or EventStreams.MediaType) ?? [])
                streamed.Value.Schema = null; // items, each a line or an event: not the page that the JSON form is

        if (call.RelativePath == AllDevices && operation.Responses["200"].Content?[ListForms.Json] is { } list)
        {
            var past = await context.GetOrCreateSchemaAsync(typeof(ListResponse<DeviceResponseAt>), cancellationToken: cancellationToken);
            list.Schema = new OpenApiSchema { Description = "The second with `at`.", OneOf = [list.Schema!, past] };
        }

        var scope = ApiDescription.ScopeOf(metadata);
        Refused(400, true);
        Refused(401, scope is not null);
        Refused(403, scope is not null);
        Refused(404, operation.Parameters.Any(parameter => parameter.In is ParameterLocation.Path));
        Refused(412, takesIfMatch);
        Refused(413, isWebhook);
        Refused(415, operation.RequestBody is not null);
        Refused(428, takesIfMatch && isPatch);
        Refused(429, scope is Scopes.Ingest or Scopes.Manage); // what goes through the writer
        Refused(503, call.RelativePath == LiveStream);
        return;

        void Refused(int status, bool applies)
        {
            if (!applies) return;
            operation.Responses.TryAdd($"{status}", new OpenApiResponse
            {
                Description = ReasonPhrases.GetReasonPhrase(status),
                Content = new Dictionary<string, OpenApiMediaType> { [Problem.MediaType] = new() { Schema = new OpenApiSchemaReference(ProblemSchema, context.Document) } },
            });
        }
    }

    /// <summary>An object whose members are sent as parameters of their own. The empty example keeps the page from sending invented ones.</summary>
    private static OpenApiParameter Prefixed(string prefix) => new()
    {
        Name = $"{prefix}<name>",
        In = ParameterLocation.Query,
        Description = $"Filters by a tag: `{prefix}site=north`. Here as an object: `{{\"{prefix}site\":\"north\"}}`.",
        Style = ParameterStyle.Form,
        Explode = true,
        Schema = new OpenApiSchema { Type = JsonSchemaType.Object, AdditionalProperties = Text(null) },
        Example = new JsonObject(),
    };

    private static OpenApiParameter IfMatch(bool required) => new()
    {
        Name = HeaderNames.IfMatch,
        In = ParameterLocation.Header,
        Required = required,
        Description = "The ETag that the device was read with, `\"42\"`; `*` for whatever is there.",
        Schema = Text(null),
    };

    private static OpenApiRequestBody Body(IEnumerable<string> types, OpenApiSchema schema, JsonNode example) => new()
    {
        Required = true,
        Content = types.ToDictionary(type => type, _ => new OpenApiMediaType { Schema = schema, Example = example }),
    };

    private static OpenApiSchema WebhookSchema() => new()
    {
        Description = "One event as the source sends it, or an array of them.",
        OneOf = [new OpenApiSchema { Type = JsonSchemaType.Object }, new OpenApiSchema { Type = JsonSchemaType.Array, Items = new OpenApiSchema() }],
    };

    private static JsonNode WebhookExample() => JsonNode.Parse("""
        {"event":"client.connected","clientid":"pump-7","username":"north","node":"emqx@10.0.0.1","peername":"10.0.0.7:61003",
         "proto_name":"MQTT","proto_ver":5,"keepalive":60,"clean_start":true,"expiry_interval":0,
         "connected_at":1767225600000,"timestamp":1767225600000}
        """)!;

    private static OpenApiSchema PatchSchema()
    {
        var schema = ObjectOf(
            ("name", Text("null removes it.", JsonSchemaType.Null)),
            ("tags", new OpenApiSchema
            {
                Type = JsonSchemaType.Object | JsonSchemaType.Null,
                Description = "Those named are set, or removed by null; the others stay. null removes all.",
                AdditionalProperties = Text(null, JsonSchemaType.Null),
            }),
            ("expectations", new OpenApiSchema
            {
                Type = JsonSchemaType.Object | JsonSchemaType.Null,
                Properties = new Dictionary<string, IOpenApiSchema>
                {
                    ["messageIntervalSeconds"] = new OpenApiSchema { Type = JsonSchemaType.Integer | JsonSchemaType.Null, Minimum = "1", Description = "A message at least this often." },
                },
                AdditionalPropertiesAllowed = false,
            }));
        schema.AdditionalPropertiesAllowed = false;
        return schema;
    }

    private static JsonNode PatchExample() => JsonNode.Parse("""{"name":"Pump 7","tags":{"site":"north"},"expectations":{"messageIntervalSeconds":60}}""")!;

    private static OpenApiSchema ObjectOf(params (string Name, OpenApiSchema Schema)[] members) => new()
    {
        Type = JsonSchemaType.Object,
        Properties = members.ToDictionary(member => member.Name, IOpenApiSchema (member) => member.Schema),
    };

    private static OpenApiSchema Text(string? description, JsonSchemaType or = default) => new() { Type = JsonSchemaType.String | or, Description = description };
}
