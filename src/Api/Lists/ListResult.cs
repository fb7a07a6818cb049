using System.Buffers;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;
using WebhookService.Api.Devices;
using WebhookService.Api.Errors;
using WebhookService.Application.Common;

namespace WebhookService.Api.Lists;

/// <summary>
/// A list as the answer of an action, in the form that the caller accepts: one page as JSON with `next` and a `Link` to the page after it,
/// or the whole list as NDJSON or CSV, read page by page and sent as it is read.
/// </summary>
/// <remarks>
/// All that a list needs is its query and a way to read a page:
/// <code>
/// [HttpGet]
/// public ListResult&lt;MessageResponse&gt; List([FromQuery] MessagesQuery query) =>
///     new(query, async (page, cancellation) => (await mediator.Send(new ListMessages(query.ToFilter(), page), cancellation)).Select(mapper.Map&lt;MessageResponse&gt;));
/// </code>
/// MessagesQuery derives from <see cref="ListQuery"/> and adds filters. The columns of the CSV and the names for `fields` are the members
/// of the response type, see <see cref="Columns"/>. Refusals (a bad cursor, an unknown id) are thrown while the first page is read.
/// </remarks>
/// <param name="read">Reads a page; called again with each cursor when the whole list is wanted.</param>
public sealed class ListResult<T>(ListQuery query, Func<PageRequest, CancellationToken, Task<Page<T>>> read) : IActionResult, IEndpointMetadataProvider
{
    private const int StreamedAtOnce = 500;
    private const int FlushEvery = 100;

    public async Task ExecuteResultAsync(ActionContext context)
    {
        var http = context.HttpContext;
        RepeatedQuery.Refuse(http.Request.Query);

        var form = ListForms.Accepted(http.Request) ?? throw new ApiException(Problem.ForStatus(http, StatusCodes.Status406NotAcceptable) with
        {
            Parameter = "Accept",
            Hint = $"Lists come as {ListForms.Json}, {ListForms.NdJson} and {ListForms.Csv}.",
        });
        var options = http.RequestServices.GetRequiredService<IOptions<JsonOptions>>().Value.JsonSerializerOptions;
        var columns = Columns.Of(typeof(T), options);
        var shape = new Shape(query.Fields is { Length: > 0 } fields ? columns.Only(fields) : columns, Whole: string.IsNullOrEmpty(query.Fields), options);
        var request = new PageRequest(query.Limit ?? (form is ListForm.Json ? ListQuery.DefaultLimit : StreamedAtOnce), query.Cursor);
        var page = await read(request, http.RequestAborted);

        http.Response.Headers.Vary = "Accept";
        http.Response.Headers.CacheControl = "no-store";
        switch (form)
        {
            case ListForm.Json: await WritePageAsync(http, page, shape); break;
            case ListForm.NdJson: await StreamAsync(http, page, request, new NdJsonLines(http.Response, shape)); break;
            case ListForm.Csv: await StreamAsync(http, page, request, new CsvRows(http.Response, shape)); break;
        }
    }

    static void IEndpointMetadataProvider.PopulateMetadata(MethodInfo method, EndpointBuilder builder) => builder.Metadata.Add(
        new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(ListResponse<T>), [ListForms.Json, ListForms.NdJson, ListForms.Csv]));

    private static async Task WritePageAsync(HttpContext http, Page<T> page, Shape shape)
    {
        if (page.Next is not null) http.Response.Headers.Link = $"<{NextOf(http, page.Next)}>; rel=\"next\"";
        http.Response.ContentType = "application/json; charset=utf-8";
        await using (var writer = new Utf8JsonWriter(http.Response.BodyWriter, shape.WriterOptions))
        {
            writer.WriteStartObject();
            writer.WriteStartArray("items");
            foreach (var item in page.Items) shape.Write(writer, item);
            writer.WriteEndArray();
            writer.WriteString("next", page.Next);
            if (page.Count is { } count) writer.WriteNumber("count", count);
            writer.WriteEndObject();
        }
        await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
    }

    private async Task StreamAsync(HttpContext http, Page<T> page, PageRequest request, IItemWriter output)
    {
        while (true)
        {
            var written = 0;
            foreach (var item in page.Items)
            {
                output.Write(item);
                if (++written % FlushEvery == 0) await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
            }
            await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
            if (page.Next is null) return;
            page = await read(request with { Cursor = page.Next }, http.RequestAborted);
        }
    }

    /// <summary>The address of the next page: the path as the caller wrote it, the same query, the new cursor.</summary>
    private static string NextOf(HttpContext http, string cursor)
    {
        var next = new QueryBuilder();
        foreach (var (name, value) in http.Request.Query)
            if (!name.Equals("cursor", StringComparison.OrdinalIgnoreCase)) next.Add(name, value.ToString());
        next.Add("cursor", cursor);
        return RawPath.Of(http) + next;
    }

    private sealed record Shape(Columns Columns, bool Whole, JsonSerializerOptions Options)
    {
        public JsonWriterOptions WriterOptions => new() { Encoder = Options.Encoder, SkipValidation = true };

        // Deeper than the serializer's own limit: items may hold JSON that was taken in as it came, which has a limit of its own.
        public JsonElement Element(T item) => JsonElement.Parse(JsonSerializer.SerializeToUtf8Bytes(item, Options), new JsonDocumentOptions { MaxDepth = 1_000 });

        public void Write(Utf8JsonWriter writer, T item)
        {
            if (Whole) JsonSerializer.Serialize(writer, item, Options);
            else Columns.Write(writer, Element(item));
        }
    }

    private interface IItemWriter
    {
        void Write(T item);
    }

    private sealed class NdJsonLines : IItemWriter
    {
        private readonly HttpResponse response;
        private readonly Shape shape;

        public NdJsonLines(HttpResponse response, Shape shape)
        {
            (this.response, this.shape) = (response, shape);
            response.ContentType = $"{ListForms.NdJson}; charset=utf-8";
        }

        public void Write(T item)
        {
            using (var writer = new Utf8JsonWriter(response.BodyWriter, shape.WriterOptions)) shape.Write(writer, item);
            response.BodyWriter.Write("\n"u8);
        }
    }

    private sealed class CsvRows : IItemWriter
    {
        private readonly HttpResponse response;
        private readonly Shape shape;

        public CsvRows(HttpResponse response, Shape shape)
        {
            (this.response, this.shape) = (response, shape);
            response.ContentType = $"{ListForms.Csv}; charset=utf-8; header=present";
            Csv.WriteRow(response.BodyWriter, shape.Columns.Names);
        }

        public void Write(T item) => Csv.WriteRow(response.BodyWriter, shape.Columns.Cells(shape.Element(item)).Select(Csv.Cell));
    }
}

/// <summary>A page of a list as JSON.</summary>
/// <param name="Next">The `cursor` of the next page; null on the last.</param>
public sealed record ListResponse<T>(IReadOnlyList<T> Items, string? Next)
{
    /// <summary>How many items all pages hold, where `count=exact` asked for it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Count { get; init; }
}
